import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@strongroom/client';
import { getInstances, type Operation, postInstances } from '@strongroom/contracts';
import { eventually } from '../../../../test/services/eventually.js';
import { Keystone } from '../../../../test/services/keystone.js';
import { runStrongroom } from '../../../../test/services/run-strongroom.js';
import { faultOf } from '../../fixtures/answers.js';
import { type Call, Gateway } from '../../fixtures/gateway.js';

const password = 'correct horse';
let keystone: Keystone | undefined;
let gateway: Gateway;
let account: string;

beforeAll(async () => {
  keystone = await Keystone.start({ tokenSeconds: 300 });
  if (!keystone) return;
  account = await keystone.project('acme');
  const service = await keystone.project('service');
  await keystone.grant(await keystone.user('strongroom', 'service secret'), service, 'admin');
  for (const role of ['member', 'reader']) {
    await keystone.grant(await keystone.user(`${role}-of-acme`, password), account, role);
  }
  gateway = await Gateway.open({
    env: {
      STRONGROOM_IDENTITY: 'keystone',
      STRONGROOM_KEYSTONE_URL: keystone.url.href,
      STRONGROOM_KEYSTONE_PASSWORD: 'service secret',
      STRONGROOM_KEYSTONE_CACHE_SECONDS: '0',
    },
  });
}, 300_000);
afterAll(async () => {
  await gateway?.close();
  await keystone?.stop();
});

const ask = async (user: string, operation: Operation, call: Call = {}): Promise<Answer> => {
  const token = (await keystone?.token({ user, project: 'acme' }, password)) ?? '';
  return gateway.call(operation, { as: 'nobody', account, headers: { 'x-auth-token': token }, ...call });
};
/** Keystone may be too slow for one request on a busy machine. */
const asked = (...request: Parameters<typeof ask>) =>
  eventually(
    async () => {
      const answer = await ask(...request);
      expect(answer.status).not.toBe(503);
      return answer;
    },
    { withinMs: 30_000 },
  );
const registration = {
  instance: {
    name: 'orders',
    datastore: { type: 'postgresql', version: '18' },
    connection: { host: 'db', port: 5432, user: 'backup', password: 'secret' },
  },
};

describe('a deployment whose users are Keystone’s', () => {
  it('lets a project’s users do what their roles allow, in their account alone', async () => {
    if (!keystone) return;
    expect((await asked('member-of-acme', postInstances, { body: registration })).status).toBe(200);
    expect((await asked('reader-of-acme', getInstances)).body).toMatchObject({ instances: [{ name: 'orders' }] });
    expect((await asked('reader-of-acme', postInstances, { body: registration })).status).toBe(403);
    expect((await asked('reader-of-acme', getInstances, { account: 'another' })).status).toBe(403);
    const [event] = await gateway.ledger.followAccount(account, 0, 1);
    expect(event?.context.actor).toBe('member-of-acme');
  }, 60_000);

  it('is signed in to by the command line, with a password that it shows nowhere', async () => {
    if (!keystone) return;
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-keystone-login-'));
    try {
      const env = { XDG_CONFIG_HOME: folder, OS_PASSWORD: password };
      const who = ['--username', 'reader-of-acme', '--project', 'acme', '--no-input'];
      const login = ['login', '--url', gateway.url, '--auth-url', `${keystone.url.href}v3`, ...who];
      const wrong = await runStrongroom(login, { ...env, OS_PASSWORD: 'wrong' }, folder);
      expect(wrong).toMatchObject({ code: 12, output: expect.stringContaining('does not let reader-of-acme in') });
      const none = await runStrongroom(login, { XDG_CONFIG_HOME: folder }, folder);
      expect(none).toMatchObject({ code: 2, output: expect.stringContaining('OS_PASSWORD') });
      const signedIn = await runStrongroom(login, env, folder);
      expect(signedIn).toMatchObject({ code: 0, output: expect.stringMatching(/The token ends at \d{4}-/) });
      const listed = await runStrongroom(['profile', 'list', '--plain'], env, folder);
      expect(listed.stdout).toBe(`default\t${gateway.url}\t${account}\tyes\tfile\n`);
      expect((await runStrongroom(['instance', 'list'], env, folder)).code).toBe(0);
      expect(wrong.output + signedIn.output).not.toContain(password);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 120_000);

  it('lets nobody in while Keystone is away, says so, and goes on when it is back', async () => {
    if (!keystone) return;
    const token = await keystone.token({ user: 'reader-of-acme', project: 'acme' }, password);
    const headers = { 'x-auth-token': token };
    const list = () => gateway.call(getInstances, { as: 'nobody', account, headers });
    await keystone.kill();
    const away = await list();
    expect([...faultOf(away), away.headers.get('retry-after')]).toEqual([503, 'serviceUnavailable', '5']);
    await keystone.restart();
    expect((await list()).status).toBe(200);
  }, 60_000);
});

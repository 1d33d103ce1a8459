import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createdWebhookResponse,
  deleteBackupsId,
  deleteInstancesId,
  deleteWebhooksId,
  getAudit,
  getBackups,
  getInstances,
  patchWebhooksId,
  postBackupsIdAction,
  postWebhooks,
  postWebhooksIdSecret,
} from '@strongroom/contracts';
import { z } from 'zod';
import { eventually } from '../../../../test/services/eventually.js';
import { faultIn, faultOf, nothing } from '../../fixtures/answers.js';
import { accountId, type Call, Gateway, otherAccountId } from '../../fixtures/gateway.js';

const item = z.looseObject({
  id: z.string(),
  type: z.string(),
  actor: z.string().nullable(),
  actor_details: z.looseObject({ id: z.string() }).nullable(),
  subject: z.looseObject({ id: z.string() }).nullable(),
  data: z.looseObject({ because: z.string().optional(), count: z.number().optional() }),
});
const page = z.object({ audit: z.array(item), links: z.array(z.object({ href: z.string() })) });

const within = { withinMs: 20_000 };

let folder: string;
let file: string;
let syslog: Server;
let said = '';
let gateway: Gateway;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-audit-'));
  file = join(folder, 'audit.jsonl');
  // A process that died in the middle of a line has left this.
  await writeFile(file, '{"torn":');
  syslog = createServer((socket) => socket.on('data', (data) => (said += data.toString())));
  await new Promise<void>((resolve) => syslog.listen(0, '127.0.0.1', resolve));
  gateway = await Gateway.open({
    env: {
      STRONGROOM_AUDIT_FILE: file,
      STRONGROOM_AUDIT_SYSLOG: `127.0.0.1:${(syslog.address() as AddressInfo).port}`,
      STRONGROOM_DELETION_DELAY_SECONDS: '3600',
      STRONGROOM_RATE_LIMITS: 'getInstances=5/3600',
    },
    tokens: {
      second: { name: 'admin', id: 'somebody else', roles: ['admin'] },
      'same person': { name: 'another name', id: 'admin', roles: ['admin'] },
      scoped: { name: 'scoped', roles: ['admin'], instances: [nothing] },
    },
  });
}, 60_000);
afterAll(async () => {
  await gateway.close();
  await new Promise((resolve) => syslog.close(resolve));
  await rm(folder, { recursive: true });
});

const audit = async (call: Call = {}) => page.parse((await gateway.call(getAudit, call)).body).audit;
const by = (token: string) => ({ as: 'nobody' as const, account: accountId, headers: { 'x-auth-token': token } });
const completed = async () => {
  const instance = await gateway.register();
  const backup = await gateway.backup(instance);
  await gateway.run(backup, instance, 'completed');
  return { instance, backup };
};

describe('the audit of an account', () => {
  it('tells each deletion, hold, approval and change, with who did it and from where', async () => {
    const { instance, backup } = await completed();
    const act = (body: object, call: Call = {}) => gateway.call(postBackupsIdAction, { id: backup, body, ...call });
    await act({ hold: { reason: 'case 4711' } });
    await act({ 'lift-hold': {} });
    await gateway.call(deleteBackupsId, { id: backup, requestId: 'client-1' });
    await act({ 'restore-deleted': {} });
    await gateway.call(deleteBackupsId, { id: backup });
    // The second person is another one by id, and may have the same name; the same one by another name is not.
    expect(faultOf(await act({ 'approve-deletion': {} }, by('same person')))).toEqual([403, 'forbidden']);
    expect((await act({ 'approve-deletion': {} }, by('second'))).status).toBe(202);
    await gateway.call(deleteInstancesId, { id: instance });
    const items = (await audit()).filter(({ subject }) => subject?.id === backup || subject?.id === instance);
    expect(items.map(({ type }) => type)).toEqual([
      'InstanceRegistered',
      'BackupHeld',
      'BackupHoldLifted',
      'BackupDeletionMarked',
      'BackupDeletionReverted',
      'BackupDeletionMarked',
      'BackupDeletionApproved',
      'InstanceForgotten',
    ]);
    const admin = { kind: 'user', id: 'admin', name: 'admin', domain: null, address: '127.0.0.1' };
    expect(items[3]).toMatchObject({ actor: 'admin', actor_details: admin, client_request_id: 'client-1' });
    expect(items[6]).toMatchObject({ actor: 'admin', actor_details: { ...admin, id: 'somebody else' } });
  });

  it('tells who has events sent where, and never what is secret of that', async () => {
    const url = 'https://hooks.example.com/very-secret-path';
    const made = await gateway.call(postWebhooks, { body: { webhook: { name: 'audited', url, types: [] } } });
    const { id } = createdWebhookResponse.parse(made.body).webhook;
    await gateway.call(patchWebhooksId, { id, body: { webhook: { url: 'https://elsewhere.example.com/' } } });
    await gateway.call(postWebhooksIdSecret, { id });
    await gateway.call(deleteWebhooksId, { id });
    const items = (await audit()).filter(({ subject }) => subject?.id === id);
    expect(items.map(({ type, actor }) => [type, actor])).toEqual(
      ['WebhookCreated', 'WebhookUpdated', 'WebhookSecretRotated', 'WebhookDeleted'].map((type) => [type, 'admin']),
    );
    expect(items.slice(0, 2).map(({ data }) => data.origin)).toEqual([
      'https://hooks.example.com',
      'https://elsewhere.example.com',
    ]);
    expect(JSON.stringify(items)).not.toMatch(/very-secret-path|whsec_/);
  });

  it('tells each refusal once and then its count: no token, another account, a missing right, a person twice, too often', async () => {
    await gateway.call(getBackups, { as: 'nobody', account: accountId });
    const gone = await gateway.call(deleteBackupsId, { id: nothing, as: 'creator' });
    expect(faultIn(gone.body).message).toContain('backup.delete');
    for (let n = 0; n < 30; n += 1) await gateway.call(deleteBackupsId, { id: nothing, as: 'creator' });
    for (let n = 0; n < 6; n += 1) await gateway.call(getInstances, { as: 'observer' });
    await gateway.call(getBackups, { as: 'other', account: accountId });
    await eventually(async () => {
      const refused = (await audit()).filter(({ type }) => type === 'RequestsRefused');
      const told = refused.map(({ actor, data }) => [data.because, actor, data.operation, data.rights, data.status]);
      expect(told).toEqual(
        expect.arrayContaining([
          ['second-person-needed', 'another name', 'postBackupsIdAction', [], 403],
          ['unauthorized', null, 'getBackups', [], 401],
          ['missing-right', 'creator', 'deleteBackupsId', ['backup.delete'], 403],
          ['rate-limit', 'observer', 'getInstances', [], 413],
          // An account is not told who of another account has asked for it.
          ['other-account', null, 'getBackups', [], 403],
        ]),
      );
      // What came alike is counted.
      expect(refused.filter(({ data }) => data.because === 'missing-right')).toHaveLength(1);
    }, within);
  });

  it('is told to the account alone, and to whoever has the right for it', async () => {
    for (const as of ['creator', 'observer', 'roleless'] as const) {
      const answer = await gateway.call(getAudit, { as });
      expect(faultOf(answer)).toEqual([403, 'forbidden']);
      expect(faultIn(answer.body).message).toContain('audit.read');
    }
    expect(faultOf(await gateway.call(getAudit, by('scoped')))).toEqual([403, 'forbidden']);
    await eventually(async () => {
      const ofOther = await audit({ as: 'other' });
      const own = ofOther.find(({ data }) => data.because === 'other-account');
      expect(own).toMatchObject({ actor: 'other', data: { asked_account: accountId } });
      const theirs = new Set((await audit()).map(({ id }) => id));
      expect(ofOther.filter(({ id }) => theirs.has(id))).toEqual([]);
    }, within);
    const [first] = await audit();
    expect(faultOf(await gateway.call(getAudit, { as: 'other', query: { marker: first?.id } }))).toEqual([
      400,
      'badRequest',
    ]);
  });

  it('comes in pages, oldest first, with no item lost or told twice', async () => {
    const whole = (await audit()).map(({ id }) => id);
    const seen: string[] = [];
    for await (const { audit: items } of gateway.client().pages(getAudit, { query: { limit: 3 } })) {
      expect(items.length).toBeLessThanOrEqual(3);
      seen.push(...items.map(({ id }) => id));
    }
    expect(seen.slice(0, whole.length)).toEqual(whole);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('tells which tokens are in force and what they may do, and never a token or its digest', async () => {
    await eventually(async () => {
      const inForce = (await audit()).filter(({ type }) => type === 'RightsInForce');
      expect(inForce).toHaveLength(1);
      const told = z.array(z.looseObject({ name: z.string() })).parse(inForce[0]?.data.tokens);
      expect(told.map(({ name }) => name)).toEqual(expect.arrayContaining(['admin', 'creator', 'observer', 'scoped']));
      expect(told.find(({ name }) => name === 'scoped')).toMatchObject({ instances: [nothing], expires_at: null });
      expect(JSON.stringify(inForce)).not.toContain(gateway.tokenOf('admin'));
      expect(JSON.stringify(inForce)).not.toMatch(/[0-9a-f]{64}/);
    }, within);
  });
});

describe('the audit of all accounts', () => {
  const lines = async () =>
    (await readFile(file, 'utf8'))
      .split('\n')
      .slice(1)
      .filter(Boolean)
      .map((line) =>
        z.looseObject({ account_id: z.string().nullable(), id: z.string(), type: z.string() }).parse(JSON.parse(line)),
      );

  it('is in the file, one object a line, also after a line that a dead process has left unfinished', async () => {
    const expected = [...(await audit()), ...(await audit({ as: 'other' }))].map(({ id }) => id);
    await eventually(async () => {
      const written = (await lines()).map(({ id }) => id);
      expect(expected.filter((id) => !written.includes(id))).toEqual([]);
      expect(new Set(written).size).toBe(written.length);
    }, within);
    const accounts = new Set((await lines()).map(({ account_id }) => account_id));
    expect([...accounts].sort()).toEqual([accountId, null, otherAccountId].sort());
    // The ids of the keys and the roles belong to no account.
    expect((await lines()).find(({ type }) => type === 'SettingsInForce')).toMatchObject({ account_id: null });
  });

  it('goes on in a new file when the old one was renamed', async () => {
    await rename(file, `${file}.1`);
    const instance = await gateway.register();
    await eventually(async () => expect(await readFile(file, 'utf8').catch(() => '')).toContain(instance), within);
    expect(await readFile(`${file}.1`, 'utf8')).not.toContain(instance);
  });

  it('is sent to syslog, each message with its length', async () => {
    const instance = await gateway.register();
    await eventually(() => expect(said).toContain(instance), within);
    const first = /^(\d+) (<109>1 \S+Z \S+ strongroom \d+ audit - )/.exec(said);
    const [, length = '', header = ''] = first ?? [];
    const message = said.slice(length.length + 1, length.length + 1 + Number(length));
    expect(z.looseObject({ id: z.string() }).safeParse(JSON.parse(message.slice(header.length))).success).toBe(true);
  });
});

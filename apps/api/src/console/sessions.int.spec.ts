import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@strongroom/client';
import {
  deleteConsoleSession,
  getAudit,
  getConsole,
  getConsoleAssetsFile,
  getConsoleSession,
  getEvents,
  getSchedules,
  pathOf,
  postBackups,
  postConsoleSession,
} from '@strongroom/contracts';
import { Clock } from '@strongroom/runtime';
import { z } from 'zod';
import { eventually } from '../../../../test/services/eventually.js';
import { faultIn, faultOf } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';
import { api } from '../api.js';
import { apiModule } from '../api.module.js';
import { ConsoleFiles } from './console-files.js';

const root = join(__dirname, '..', '..', '..', '..');
const hourMs = 3_600_000;

class TurnedClock extends Clock {
  aheadMs = 0;
  now(): Date {
    return new Date(Date.now() + this.aheadMs);
  }
}

const clock = new TurnedClock();
let gateway: Gateway;
/** Where the gateway looks for the files of the console. */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-console-'));
  const files = { provide: ConsoleFiles, useFactory: () => new ConsoleFiles(join(folder, 'console')) };
  const module: typeof api.module = (parts) => {
    const { providers = [], ...others } = apiModule(parts);
    return { ...others, providers: [...providers, files] };
  };
  const env = { STRONGROOM_WRONG_TOKENS_PER_MINUTE: '60' };
  gateway = await Gateway.open({ clock, env, options: { ...api, module } });
});
afterAll(async () => {
  await gateway.close();
  await rm(folder, { recursive: true });
});

const soon = { withinMs: 10_000 };
const own = () => ({ origin: gateway.url });
const foreign = { origin: 'https://elsewhere.example' };
const cookieIn = ({ headers }: Answer) => headers.get('set-cookie') ?? '';

/** Signs in. @returns what the browser sends from then on */
async function signIn(as: 'admin' | 'observer' = 'admin'): Promise<{ cookie: string }> {
  const answer = await gateway.call(postConsoleSession, { as, headers: own() });
  expect(answer.status).toBe(200);
  const [cookie = ''] = cookieIn(answer).split(';');
  return { cookie };
}

const schedulesWith = (headers: Record<string, string>) =>
  gateway.call(getSchedules, { as: 'nobody', account: accountId, headers });
const backupWith = (headers: Record<string, string>, instance: string) =>
  gateway.call(postBackups, {
    as: 'nobody',
    account: accountId,
    headers,
    body: { backup: { name: 'by hand', instance } },
  });

describe('a session of the console', () => {
  it('is a cookie that no script reads and no other site sends', async () => {
    const answer = await gateway.call(postConsoleSession, { as: 'observer', headers: own() });
    expect(cookieIn(answer)).toMatch(/^strongroom-session=[\w-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=28800$/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body).toMatchObject({
      session: { account_id: accountId, name: 'observer', rights: expect.arrayContaining(['schedule.read']) },
    });
    expect(JSON.stringify(answer.body)).not.toContain('backup.create');
    // Elsewhere than on this machine it goes over TLS alone, and no other host can put one in its place.
    const elsewhere = { host: 'backups.example', origin: 'https://backups.example' };
    const head = Object.entries({ ...elsewhere, 'x-auth-token': gateway.tokenOf('admin'), connection: 'close' });
    const said = await gateway.wire(
      `POST ${postConsoleSession.path} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n`,
    );
    expect(said).toMatch(/set-cookie: __Host-strongroom-session=[\w-]+; Path=\/; HttpOnly; SameSite=Strict; Secure; /i);
  });

  it('takes the place of the token, and has its rights and its name', async () => {
    const instance = await gateway.register();
    const cookie = await signIn();
    expect(await schedulesWith(cookie)).toMatchObject({ status: 200 });
    expect(await backupWith({ ...cookie, ...own() }, instance)).toMatchObject({ status: 202 });
    expect((await gateway.events()).at(-1)?.context).toMatchObject({ actor: 'admin' });
    const observer = await signIn('observer');
    expect(faultOf(await backupWith({ ...observer, ...own() }, instance))).toEqual([403, 'forbidden']);
    const shown = await gateway.call(getConsoleSession, { as: 'nobody', headers: observer });
    expect(shown.body).toMatchObject({ session: { name: 'observer', account_id: accountId } });
  });

  it('is not looked at where there is a token, right or wrong', async () => {
    const headers = { ...(await signIn()), ...foreign };
    expect(await gateway.call(getSchedules, { headers })).toMatchObject({ status: 200 });
    expect(faultOf(await gateway.call(getConsoleSession, { as: 'nobody' }))).toEqual([401, 'unauthorized']);
    const wrong = { ...(await signIn()), ...own(), 'x-auth-token': 'of nobody' };
    expect(faultOf(await schedulesWith(wrong))).toEqual([401, 'unauthorized']);
  });

  it.each<[string, Record<string, string>]>([
    ['a page of another origin', foreign],
    ['a page of another port of this machine', { origin: 'http://127.0.0.1:1' }],
    ['a page that hides its origin', { origin: 'null' }],
    ['a page of the same site', { 'sec-fetch-site': 'same-site' }],
    ['a link of another site', { 'sec-fetch-site': 'cross-site' }],
  ])('is refused where %s uses it, also to read', async (_, headers) => {
    const instance = await gateway.register();
    const all = { ...(await signIn()), ...headers };
    expect(faultOf(await schedulesWith(all))).toEqual([403, 'forbidden']);
    expect(faultOf(await backupWith(all, instance))).toEqual([403, 'forbidden']);
    expect(faultOf(await gateway.call(getConsoleSession, { as: 'nobody', headers: all }))).toEqual([403, 'forbidden']);
  });

  it('changes something only for who shows where the request comes from', async () => {
    const instance = await gateway.register();
    const cookie = await signIn();
    expect(faultOf(await backupWith(cookie, instance))).toEqual([403, 'forbidden']);
    expect(await backupWith({ ...cookie, 'sec-fetch-site': 'same-origin' }, instance)).toMatchObject({ status: 202 });
    expect(faultOf(await backupWith({ ...cookie, 'sec-fetch-site': 'none' }, instance))).toEqual([403, 'forbidden']);
  });

  it('cannot be begun or ended by a page of another origin', async () => {
    for (const headers of [foreign, { 'sec-fetch-site': 'cross-site' }, {}]) {
      expect(faultOf(await gateway.call(postConsoleSession, { headers }))).toEqual([403, 'forbidden']);
      const ended = await gateway.call(deleteConsoleSession, { as: 'nobody', headers });
      expect(faultOf(ended)).toEqual([403, 'forbidden']);
    }
  });

  it('is begun by a token alone, and not by a session', async () => {
    const headers = { ...own(), ...(await signIn()) };
    const again = await gateway.call(postConsoleSession, { as: 'nobody', headers });
    expect(faultOf(again)).toEqual([401, 'unauthorized']);
    expect(cookieIn(again)).toBe('');
  });

  it('is nobody’s when any bit of it was changed', async () => {
    const { cookie } = await signIn();
    const [name = '', text = ''] = cookie.split('=');
    const bytes = Buffer.from(text, 'base64url');
    for (const at of [0, 1, 8, 9, 20, 21, 36, 37, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      const sent = { cookie: `${name}=${changed.toString('base64url')}` };
      expect(faultOf(await schedulesWith(sent))).toEqual([401, 'unauthorized']);
    }
    for (const wrong of ['', 'x', '%', 'a'.repeat(400)]) {
      expect(faultOf(await schedulesWith({ cookie: `${name}=${wrong}` }))).toEqual([401, 'unauthorized']);
    }
  });

  it('ends after eight hours, and a sign-out makes the browser forget it', async () => {
    const cookie = await signIn();
    clock.aheadMs = 8 * hourMs - 60_000;
    expect(await schedulesWith(cookie)).toMatchObject({ status: 200 });
    clock.aheadMs = 8 * hourMs + 60_000;
    expect(faultOf(await schedulesWith(cookie))).toEqual([401, 'unauthorized']);
    clock.aheadMs = 0;
    const out = await gateway.call(deleteConsoleSession, { as: 'nobody', headers: { ...cookie, ...own() } });
    expect(cookieIn(out)).toBe('strongroom-session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0');
  });

  it('ends with its token', async () => {
    const expiresAt = new Date(Date.now() + hourMs).toISOString();
    await gateway.admit('for an hour', { name: 'guest', roles: ['observer'], expiresAt });
    const headers = { ...own(), 'x-auth-token': 'for an hour' };
    const answer = await eventually(async () => {
      const begun = await gateway.call(postConsoleSession, { as: 'nobody', headers });
      expect(begun.status).toBe(200);
      return begun;
    }, soon);
    const [cookie = ''] = cookieIn(answer).split(';');
    expect(await schedulesWith({ cookie })).toMatchObject({ status: 200 });
    clock.aheadMs = hourMs + 60_000;
    expect(faultOf(await schedulesWith({ cookie }))).toEqual([401, 'unauthorized']);
    clock.aheadMs = 0;
  });

  it('opens the stream of events', async () => {
    const ending = new AbortController();
    const response = await fetch(`${gateway.url}${pathOf(getEvents, { accountId })}`, {
      headers: { ...(await signIn()), accept: 'text/event-stream', 'sec-fetch-site': 'same-origin' },
      signal: ending.signal,
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    ending.abort();
  });

  it('is in no line of the log', async () => {
    const { cookie } = await signIn();
    await schedulesWith({ cookie });
    const log = gateway.lines.join('\n');
    for (const secret of [cookie.split('=')[1] ?? '', gateway.tokenOf('admin')]) expect(log).not.toContain(secret);
  });

  it('is begun and ended by requests without a body, and of a token that a cookie has room for', async () => {
    for (const operation of [postConsoleSession, deleteConsoleSession]) {
      const send = (bytes: string, type: string) =>
        gateway.call(operation, { bytes, headers: { ...own(), 'content-type': type } });
      expect(faultOf(await send('<session/>', 'application/xml'))).toEqual([415, 'badMediaType']);
      expect(faultOf(await send('{', 'application/json'))).toEqual([400, 'badRequest']);
      expect(faultOf(await send(`"${'x'.repeat(70_000)}"`, 'application/json'))).toEqual([413, 'overLimit']);
    }
    const long = 't'.repeat(4_000);
    await gateway.admit(long, { name: 'long', roles: ['observer'] });
    await eventually(async () => {
      const answer = await gateway.call(postConsoleSession, {
        as: 'nobody',
        headers: { ...own(), 'x-auth-token': long },
      });
      expect(faultOf(answer)).toEqual([400, 'badRequest']);
    }, soon);
  });
});

describe('the files of the console', () => {
  it('are a 503 that says so where they were not built, and nothing else is touched', async () => {
    const answer = await gateway.call(getConsole, { as: 'nobody' });
    expect(faultOf(answer)).toEqual([503, 'serviceUnavailable']);
    expect(faultIn(answer.body).message).toContain('built without its console');
    expect(await signIn()).toMatchObject({ cookie: expect.any(String) });
    // They are looked for at each request.
    await cp(join(root, 'apps', 'api', 'public', 'console'), join(folder, 'console'), { recursive: true });
    expect((await gateway.call(getConsole, { as: 'nobody' })).status).toBe(200);
  });

  it('are for everybody, of this origin alone, and are kept by browsers for ever', async () => {
    const page = await gateway.call(getConsole, { as: 'nobody' });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    const text = z.string().parse(page.body);
    expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\/|<script>|style=/);
    const files = [...text.matchAll(/"\.\/console\/assets\/([\w.-]+)"/g)].map(([, file = '']) => file);
    expect(files.map((file) => file.replace(/.*\./, '')).sort()).toEqual(['css', 'js']);
    for (const file of files) {
      const asset = await gateway.request('GET', pathOf(getConsoleAssetsFile, { file }), { as: 'nobody' });
      expect(asset.status).toBe(200);
      expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(asset.headers.get('content-encoding')).toBe('gzip');
    }
    // With a slash at its end, the page lies in the folder of its files.
    const below = await gateway.request('GET', `${getConsole.path}/`, { as: 'nobody' });
    expect(below.body).toContain(`"./assets/${files[0]}"`);
  });

  it.each(['nothing.js', '..%2Findex.html', '%2e%2e%2f%2e%2e%2freference.js', 'index.html'])(
    'are those that the build has made, and %s is a 404',
    async (file) => {
      const path = `${getConsoleAssetsFile.path.replace('{file}', file)}`;
      expect(faultOf(await gateway.request('GET', path, { as: 'nobody' }))).toEqual([404, 'itemNotFound']);
    },
  );

  it('are a 400 by a path that cannot be read', async () => {
    const path = getConsoleAssetsFile.path.replace('{file}', '%zz');
    expect(faultOf(await gateway.request('GET', path, { as: 'nobody' }))).toEqual([400, 'badRequest']);
  });
});

// The address of this test has to wait afterwards, so it is the last one.
describe('many wrong tokens', () => {
  it('make an address wait, as elsewhere, and are in the audit', async () => {
    const { cookie } = await signIn();
    const wrong = { ...own(), 'x-auth-token': 'wrong' };
    const ends = async () => (await gateway.call(postConsoleSession, { as: 'nobody', headers: wrong })).status;
    await eventually(async () => expect(await ends()).toBe(413), { withinMs: 30_000 });
    const read = await gateway.call(getConsoleSession, { as: 'nobody', headers: { ...wrong, cookie } });
    expect(faultOf(read)).toEqual([413, 'overLimit']);
    expect(await schedulesWith({ cookie })).toMatchObject({ status: 200 });
    expect((await gateway.call(getAudit)).status).toBe(200);
  });
});

import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteBackupsId,
  getEvents,
  getInstances,
  getSchedules,
  idOf,
  operations,
  pathOf,
  postBackupsIdAction,
  postSchedules,
  postWebhooks,
  type RecordedEvent,
} from '@strongroom/contracts';
import { z } from 'zod';
import { eventually } from '../../../../test/services/eventually.js';
import { faultIn } from '../../fixtures/answers.js';
import { type As, accountId, Gateway, otherAccountId } from '../../fixtures/gateway.js';
import { leaksIn } from '../../fixtures/leaks.js';
import { routesOf } from '../../fixtures/routes.js';
import { routes } from '../api.module.js';

/** Every route that is really served below an account: a new one is tried here without being named. */
const table = routesOf(routes)
  .map((place) => ({ method: place.split(' ')[0] ?? '', path: place.split(' ')[1] ?? '' }))
  .filter(({ path }) => path.includes('{accountId}'));

const within = { withinMs: 20_000 };
const visible = 'seen by everybody';
/** The names that the owner of a victim's things has given them. */
const secretOf = (as: As) => `known to ${as} alone`;
const key = { 'idempotency-key': 'the-key-of-the-other' };

/** What somebody has, which the stranger must not learn of, use or change. */
interface Things {
  instance: string;
  schedule: string;
  backup: string;
  deleted: string;
  copy: string;
  webhook: string;
  event: string;
  audit: string;
}

let gateway: Gateway;
/** An account, and an instance of the same account that the scoped token does not reach. */
const victims = new Map<string, Things>();
/** The only instance that the scoped token reaches. */
let reached: string;

async function things(as: As): Promise<Things> {
  const account = as === 'other' ? otherAccountId : accountId;
  const secret = secretOf(as);
  const instance = await gateway.register(as, { name: secret });
  const timing = { action: 'backup', day_of_week: 0, hour: 14, minute: 30, instance_id: instance };
  const made = await gateway.call(postSchedules, { as, body: { schedule: timing }, headers: key });
  const { schedule } = z.object({ schedule: z.object({ id: z.string() }) }).parse(made.body);
  const backups: string[] = [];
  for (let n = 0; n < 2; n += 1) {
    const backup = await gateway.backup(instance, { name: `${secret} ${n}` }, as);
    await gateway.run(backup, instance, 'completed', undefined, account);
    backups.push(backup);
  }
  const [backup = '', deleted = ''] = backups;
  const copy = { 'copy-backup': { target_backup_region: 'IAD' } };
  expect((await gateway.call(postBackupsIdAction, { as, id: backup, body: copy })).status).toBe(202);
  expect((await gateway.call(deleteBackupsId, { as, id: deleted })).status).toBe(202);
  const webhook = { name: secret, url: 'https://127.0.0.1:1/' };
  const called = await gateway.call(postWebhooks, { as, body: { webhook } });
  const events = await eventsOf(account, instance);
  const marked = events.find(({ type }) => type === 'BackupDeletionMarked')?.id ?? '';
  const asked = events.find(({ type }) => type === 'CopyRequested')?.stream ?? '-';
  return {
    instance,
    schedule: schedule.id,
    backup,
    deleted,
    copy: idOf(asked),
    webhook: z.object({ webhook: z.object({ id: z.string() }) }).parse(called.body).webhook.id,
    event: events[0]?.id ?? '',
    audit: marked,
  };
}

async function eventsOf(account: string, instance: string): Promise<RecordedEvent[]> {
  const all = await gateway.ledger.followAccount(account, 0, 10_000);
  return all.filter(({ instanceId }) => instanceId === instance);
}

beforeAll(async () => {
  gateway = await Gateway.open({
    env: { STRONGROOM_DELETION_DELAY_SECONDS: '3600', STRONGROOM_RATE_LIMITS: 'off' },
  });
  reached = await gateway.register();
  await gateway.admit('scoped', { name: 'scoped', roles: ['admin'], instances: [reached] });
  victims.set('another account', await things('other'));
  victims.set('an instance that the token does not reach', await things('admin'));
  const asScoped = { as: 'nobody', headers: { 'x-auth-token': 'scoped' } } as const;
  const seen = () => gateway.request('GET', pathOf(getInstances, { accountId }), asScoped);
  await eventually(async () => expect(await seen()).toMatchObject({ body: { instances: [{ id: reached }] } }), within);
}, 60_000);
afterAll(() => gateway.close());

interface Stranger {
  victim: string;
  account: string;
  owner: string;
  /** Whose the things are. */
  as: As;
  headers: Record<string, string>;
}

const strangers = (): Stranger[] => [
  {
    victim: 'another account',
    account: accountId,
    owner: otherAccountId,
    as: 'other',
    headers: { 'x-auth-token': gateway.tokenOf('admin') },
  },
  {
    victim: 'an instance that the token does not reach',
    account: accountId,
    owner: accountId,
    as: 'admin',
    headers: { 'x-auth-token': 'scoped' },
  },
];

interface Attempt {
  method: string;
  path: string;
  query: string;
  headers: Record<string, string>;
  body?: string;
}

/** Every way in which a route can be asked for what is another's. */
function attemptsOn({ method, path }: (typeof table)[number], { account, owner }: Stranger, theirs: Things): Attempt[] {
  const ids = Object.values(theirs);
  const takesId = /\{(id|version)\}/.test(path);
  const at = (of: string, id: string) => pathOf({ path }, { accountId: of, id, version: id });
  const {
    examples = [],
    query: names = [],
    request: form,
  } = operations.find((each) => each.path === path && each.method === method) ?? {};
  const isRead = method === 'GET';
  const queries = ids.flatMap((id) => [
    ...(names.includes('marker') ? [`?marker=${id}`, `?deleted=true&marker=${id}`] : []),
    ...(names.includes('instance_id') ? [`?instance_id=${id}`] : []),
  ]);
  const bodiesWith = (named: readonly string[]) =>
    form === undefined
      ? [undefined]
      : examples.flatMap(({ request }) => named.map((id) => JSON.stringify(withIds(request, id))));
  const attempt = (one: string, query: string, body?: string): Attempt[] => {
    const plain = { method, path: one, query, headers: {}, ...(body !== undefined && { body }) };
    if (isRead) return query === '' ? [plain, { ...plain, method: 'HEAD' }] : [plain];
    return [plain, { ...plain, headers: key }];
  };
  const own = (takesId ? ids : ['x']).flatMap((id) =>
    ['', '?limit=1', ...queries].flatMap((query) =>
      bodiesWith(takesId ? [id] : ids).flatMap((body) => attempt(at(account, id), isRead ? query : '', body)),
    ),
  );
  const [first = ''] = ids;
  // What is below the other's path is refused at the door.
  const theirPath = owner === account ? [] : bodiesWith([first]).flatMap((body) => attempt(at(owner, first), '', body));
  const all = [...own, ...theirPath];
  return [...new Map(all.map((each) => [JSON.stringify(each), each])).values()];
}

/** The example with one id wherever it has ids. A name that it gives is told to everybody. */
function withIds(value: unknown, id: string): unknown {
  if (typeof value === 'string') return /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(value) ? id : value;
  if (Array.isArray(value)) return value.map((each) => withIds(each, id));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, name === 'name' ? visible : withIds(inner, id)]),
  );
}

/** Everything that is secret: ids of things and of events, and names. */
async function secretsOf({ owner, as }: Stranger, theirs: Things): Promise<string[]> {
  const events = await eventsOf(owner, theirs.instance);
  return [
    secretOf(as),
    ...new Set([...Object.values(theirs), ...events.flatMap(({ id, stream }) => [id, idOf(stream)])]),
  ].filter(Boolean);
}

describe.each(['another account', 'an instance that the token does not reach'])('what is of %s', (victim) => {
  const parties = () => {
    const [stranger, theirs] = [strangers().find((each) => each.victim === victim), victims.get(victim)];
    if (!stranger || !theirs) throw new TypeError(`nobody is a stranger to ${victim}`);
    return { stranger, theirs };
  };

  it.each(table)(
    'is not told, used or changed by $method $path',
    async (route) => {
      const { stranger, theirs } = parties();
      const secrets = await secretsOf(stranger, theirs);
      const before = await eventsOf(stranger.owner, theirs.instance);
      const attempts = attemptsOn(route, stranger, theirs);
      expect(attempts.length).toBeGreaterThan(0);
      for (const { method, path, query, headers, body } of attempts) {
        const answer = await gateway.request(method, `${path}${query}`, {
          as: 'nobody',
          headers: { ...stranger.headers, ...headers },
          ...(body !== undefined && { bytes: body }),
        });
        const said = [path, query, body].join(' ');
        expect([said, ...leaksIn({ said, answer }, secrets)]).toEqual([said]);
        expect([said, answer.headers.get('idempotent-replayed')]).toEqual([said, null]);
        expect([said, answer.status]).not.toEqual([said, 500]);
        // An id of another's is answered as one that nothing has.
        const isTheirs = path.includes(`/${stranger.owner}/`) && stranger.owner !== stranger.account;
        if (isTheirs) expect([said, answer.status]).toEqual([said, 403]);
        else if (/\{id\}/.test(route.path) && answer.status < 300)
          throw new Error(`${method} ${said}: ${answer.status}`);
        if (answer.status === 403 && method !== 'HEAD')
          expect(faultIn(answer.body).message).not.toContain(secretOf(stranger.as));
      }
      expect(await eventsOf(stranger.owner, theirs.instance)).toEqual(before);
    },
    120_000,
  );

  it('is in no stream of events, wherever the stream begins', async () => {
    const { stranger, theirs } = parties();
    const secrets = await secretsOf(stranger, theirs);
    const streams = [
      {},
      { 'last-event-id': theirs.event },
      { 'last-event-id': '0' },
      { 'last-event-id': theirs.audit },
    ];
    const open = streams.map((headers) => Stream.open({ ...stranger.headers, ...headers }, stranger.account));
    await eventually(() => expect(open.map(({ told }) => told.includes('id: '))).toEqual(open.map(() => true)), within);
    const { as } = stranger;
    const asked = await gateway.backup(theirs.instance, { name: `${secretOf(as)} too` }, as);
    await gateway.run(asked, theirs.instance, 'completed', undefined, stranger.owner);
    // What the stranger may see comes after it in the ledger, and so it would have been told before.
    const own = await ownEvent(stranger);
    await eventually(() => expect(open.map(({ told }) => told.includes(own))).toEqual(open.map(() => true)), within);
    for (const stream of open) {
      // An id that the client has sent itself comes back to it, as lost.
      const told = stream.told.replaceAll(/"last_event_id":"[^"]*"/g, '').replace(/^retry: .*\nid: .*\n/, '');
      expect([...secrets, asked].filter((each) => told.includes(each))).toEqual([]);
      stream.close();
    }
    // A stream of the own account would have no end.
    if (stranger.owner === stranger.account) return;
    const theirPath = pathOf(getEvents, { accountId: stranger.owner });
    const headers = { ...stranger.headers, accept: 'text/event-stream', 'last-event-id': theirs.event };
    expect((await gateway.request('GET', theirPath, { as: 'nobody', headers })).status).toBe(403);
  }, 60_000);

  /** Something happens that the stranger may see. @returns what names it */
  async function ownEvent({ headers }: Stranger): Promise<string> {
    return headers['x-auth-token'] === 'scoped' ? gateway.backup(reached) : gateway.register();
  }
});

it('the routes that are tried are those of every operation of an account', () => {
  const ofOperations = operations
    .filter(({ path }) => path.includes('{accountId}'))
    .map(({ method, path }) => `${method} ${path}`);
  expect(table.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(ofOperations.sort());
});

it('a token that reaches some instances sees those', async () => {
  const list = await gateway.request('GET', pathOf(getSchedules, { accountId }), {
    as: 'nobody',
    headers: { 'x-auth-token': 'scoped' },
  });
  expect(list).toMatchObject({ status: 200, body: { schedules: [] } });
});

/** A stream of events, as text. */
class Stream {
  told = '';

  private constructor(readonly close: () => void) {}

  static open(headers: Record<string, string>, account: string): Stream {
    const url = `${gateway.url}${pathOf(getEvents, { accountId: account })}`;
    const request = httpRequest(url, { headers: { ...headers, accept: 'text/event-stream' } });
    const stream = new Stream(() => request.destroy());
    request.on('error', () => {});
    request.end();
    void once(request, 'response').then(([response]) => {
      response.on('data', (data: Buffer) => {
        stream.told += data.toString();
      });
      response.on('error', () => {});
    });
    return stream;
  }
}

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { usualRoles } from '@strongroom/contracts';
import { LedgerIdentity } from '@strongroom/feed';
import { hashToken, StaticTokens } from '@strongroom/identity';
import { Ledger } from '@strongroom/ledger';
import { createLogger, RandomIds, SystemClock } from '@strongroom/runtime';
import createServer, { type FastifyInstance } from 'fastify';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { answer } from '../edge/http-fault.filter.js';
import { HttpFault } from '../edge/http-fault.js';
import { LiveStreams } from '../edge/streams/live-streams.js';
import { eventsOf } from './event-source.js';

const token = 'the token of the spec';
const accountId = 'acme';
const right = { name: 'spec', sha256: hashToken(token), accountId, roles: ['observer'] };
const within = { withinMs: 20_000 };
const ids = new RandomIds();
const log = createLogger({ app: 'api', level: 'silent', to: { write: () => {} } });

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let folder: string;
let tokensFile: string;
let identity: StaticTokens;
let streams: LiveStreams;
let server: FastifyInstance;
/** The server's response of the newest stream. */
let raw: ServerResponse;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'event-streams-spec' }));
  ledger = new Ledger(dataSource);
  folder = await mkdtemp(join(tmpdir(), 'strongroom-streams-'));
  tokensFile = join(folder, 'tokens.json');
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
  await rm(folder, { recursive: true });
});

/** The gateway's streams at a faster pace: what takes a minute takes a moment. */
beforeEach(async () => {
  await writeFile(tokensFile, JSON.stringify([right]));
  identity = await StaticTokens.open({ path: tokensFile, clock: new SystemClock(), log });
  const timings = { pollMs: 20, heartbeatMs: 100, trustMs: 100 };
  streams = new LiveStreams(ledger, identity, log, timings, new LedgerIdentity(dataSource, log), {
    roles: usualRoles,
    mostStreams: 1_000,
    quotas: { streams: { usual: 20, byAccount: new Map() } },
  });
  await streams.onModuleInit();
  server = createServer();
  server.decorateRequest('clientAddress', '');
  server.setErrorHandler((error, _, reply) => {
    if (!(error instanceof HttpFault)) throw error;
    answer(reply, error);
  });
  server.get('/stream', async (request, reply) => {
    raw = reply.raw;
    const { 'last-event-id': seen = '0' } = request.headers;
    streams.open({ accountId, after: String(seen), request, reply }, eventsOf(ledger, { accountId }));
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(async () => {
  await streams.onModuleDestroy();
  await server.close();
});

/** Appends events to one stream. @returns the position of the last one */
async function append(count = 1): Promise<number> {
  const data = { scheduleId: ids.next(), instanceId: ids.next(), slotAt: '2026-11-23T14:30:00.000Z', reason: 'paused' };
  const outcome = await ledger.append({
    ...{ stream: `backup-${ids.next()}`, expectedVersion: 0, accountId: 'acme', instanceId: data.instanceId },
    context: { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' },
    events: Array.from({ length: count }, () => ({ id: ids.next(), type: 'SlotSkipped', data })),
    ...{ claims: [], releases: [] },
  });
  if (outcome.outcome !== 'appended') throw new Error(outcome.outcome);
  return ledger.head();
}

/** Loses everything beyond a position, as a restore to an earlier time does, and gives the positions anew. */
async function putBackTo(position: number): Promise<void> {
  await dataSource.query('alter table ledger_event disable trigger user');
  await dataSource.query('delete from ledger_event where position > $1', [position]);
  await dataSource.query('alter table ledger_event enable trigger user');
  await dataSource.query(`select setval(pg_get_serial_sequence('ledger_event', 'position'), $1)`, [position]);
}

/** Returns when the gateway has looked where the ledger ends, which it does once a second. */
async function seenByTheGateway(): Promise<void> {
  const head = await ledger.head();
  await eventually(async () => {
    await streams.ledgerIdentity.current();
    expect(streams.ledgerIdentity.end).toBe(head);
  }, within);
}

/** What a stream has said so far. */
async function listen(headers: Record<string, string> = {}): Promise<{ said: () => string }> {
  const response = await fetch(url(), { headers: { 'x-auth-token': token, ...headers } });
  expect(response.status).toBe(200);
  let said = '';
  void (async () => {
    for await (const chunk of response.body ?? []) said += Buffer.from(chunk).toString();
  })().catch(() => {});
  return { said: () => said };
}

const url = () => `${server.listeningOrigin}/stream`;
const open = () => fetch(url(), { headers: { 'x-auth-token': token } });

describe('a stream of events', () => {
  it('that has nothing to tell says so now and then, as long as its token is trusted', async () => {
    const response = await open();
    let said = '';
    for await (const chunk of response.body ?? []) {
      said += Buffer.from(chunk).toString();
      if (said.split(': still here\n\n').length > 10) break;
    }
    expect(said).toMatch(/^retry: 2000\nid: 0\n\n(: still here\n\n)+$/);
  });

  it.each([
    ['is nobody’s any more', []],
    ['has expired', [{ ...right, expiresAt: '2026-01-01T00:00:00Z' }]],
    ['has lost its role', [{ ...right, roles: ['member'] }]],
    ['is of another account now', [{ ...right, accountId: 'other' }]],
  ])('ends when its token %s', async (_, tokens) => {
    const response = await open();
    await writeFile(tokensFile, JSON.stringify(tokens));
    // The text is there when the stream has ended.
    await expect(response.text()).resolves.toContain('retry: 2000');
  });

  it('whose last event the ledger has lost says so, and begins anew', async () => {
    const kept = await append(2);
    const { said } = await listen();
    await append(3);
    const told = (times: number) =>
      eventually(() => expect(said().split('event: SlotSkipped').length - 1).toBe(times), within);
    await told(5);
    await seenByTheGateway();
    await putBackTo(kept);
    await append();
    await told(8);
    const [, after] = said().split('event: reset\n');
    expect(after).toMatch(
      /^data: \{"last_event_id":"[0-9a-f-]{36}","message":"The last event that you have seen is not in the ledger/,
    );
  });

  it.each(['0198c0de-0000-7000-8000-000000000000', 'no id at all'])(
    'that a client wants to go on after %s, which is not there, begins anew and says so',
    async (seen) => {
      await append();
      const { said } = await listen({ 'last-event-id': seen });
      await eventually(() => expect(said()).toContain('event: SlotSkipped'), within);
      expect(said()).toMatch(/^retry: 2000\nid: 0\n\nid: 0\nevent: reset\ndata: \{/);
      expect(JSON.parse(/event: reset\ndata: (.*)\n/.exec(said())?.[1] ?? '')).toMatchObject({ last_event_id: seen });
    },
  );

  it('that is asked for while the database is away begins when it is back', async () => {
    await append();
    await database.cut();
    const { said } = await listen();
    await eventually(() => expect(said()).toContain(': waiting'), within);
    await database.restore();
    await eventually(() => expect(said()).toContain('event: SlotSkipped'), within);
  });

  it('whose client does not read waits for it, costs no memory, and loses nothing', async () => {
    const count = 4_000;
    const before = (await ledger.followAccount('acme', 0, 1_000)).length;
    const instanceId = ids.next();
    for (let n = 0; n < count; n += 500) {
      const data = {
        scheduleId: ids.next(),
        instanceId,
        slotAt: '2026-11-23T14:30:00.000Z',
        reason: 'x'.repeat(2_000),
      };
      await ledger.append({
        stream: `backup-${ids.next()}`,
        expectedVersion: 0,
        accountId: 'acme',
        instanceId,
        context: { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' },
        events: Array.from({ length: 500 }, () => ({ id: ids.next(), type: 'SlotSkipped', data })),
        claims: [],
        releases: [],
      });
    }
    const { hostname, port } = new URL(url());
    const socket = connect(Number(port), hostname).pause();
    socket.write(`GET /stream HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${token}\r\n\r\n`);
    let most = 0;
    let sent = 0;
    let looksAtStandstill = 0;
    await eventually(() => {
      most = Math.max(most, raw.writableLength);
      const { bytesWritten = 0 } = raw.socket ?? {};
      looksAtStandstill = raw.writableNeedDrain && bytesWritten === sent ? looksAtStandstill + 1 : 0;
      sent = bytesWritten;
      expect(looksAtStandstill).toBeGreaterThan(20);
    }, within);
    expect(most).toBeLessThan(200_000);

    let told = 0;
    let rest = '';
    socket.on('data', (chunk: Buffer) => {
      const lines = `${rest}${chunk.toString()}`.split('\n');
      rest = lines.pop() ?? '';
      told += lines.filter((line) => line === 'event: SlotSkipped').length;
    });
    socket.resume();
    await eventually(() => expect(told).toBe(before + count), within);
    socket.destroy();
    await once(socket, 'close');
  });

  it('is not begun by a gateway that stops, which would leave it without an end', async () => {
    const before = await open();
    await streams.onModuleDestroy();
    await before.text();
    const response = await open();
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    await expect(response.json()).resolves.toMatchObject({ serviceUnavailable: { code: 503 } });
  });
});

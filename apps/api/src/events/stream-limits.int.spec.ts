import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type RecordedEvent, usualRoles } from '@strongroom/contracts';
import { createDataSource, migrate } from '@strongroom/database';
import { LedgerIdentity } from '@strongroom/feed';
import { Identity, type Principal } from '@strongroom/identity';
import { Ledger } from '@strongroom/ledger';
import { createLogger, RandomIds } from '@strongroom/runtime';
import createServer, { type FastifyInstance } from 'fastify';
import type { DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { answer } from '../edge/http-fault.filter.js';
import { HttpFault } from '../edge/http-fault.js';
import type { StreamTimings } from '../edge/streams/live-stream.js';
import { LiveStreams, type StreamLimits } from '../edge/streams/live-streams.js';
import { eventsOf } from './event-source.js';

const within = { withinMs: 20_000 };
const ids = new RandomIds();
const log = createLogger({ app: 'api', level: 'silent', to: { write: () => {} } });

/** Counts how often each account's events are read. */
class CountingLedger extends Ledger {
  readonly reads = new Map<string, number>();

  override followAccount(accountId: string, after: number, limit: number): Promise<RecordedEvent[]> {
    this.reads.set(accountId, (this.reads.get(accountId) ?? 0) + 1);
    return super.followAccount(accountId, after, limit);
  }
}

/** The token is the name of its account. */
class Everybody extends Identity {
  authenticate(token: string | undefined): Promise<Principal | undefined> {
    return Promise.resolve(token ? { name: token, accountId: token, roles: ['observer'] } : undefined);
  }
}

let database: TestDatabase;
let dataSource: DataSource;
let ledger: CountingLedger;
let streams: LiveStreams;
let server: FastifyInstance;

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource({ url: database.url, applicationName: 'stream-limits-spec' }).initialize();
  await migrate(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
afterEach(async () => {
  await streams.onModuleDestroy();
  await server.close();
});

async function serve(limits: StreamLimits, timings: Partial<StreamTimings> = {}): Promise<void> {
  ledger = new CountingLedger(dataSource);
  const slow = { pollMs: 50, heartbeatMs: 600_000, trustMs: 600_000, ...timings };
  streams = new LiveStreams(ledger, new Everybody(), log, slow, new LedgerIdentity(dataSource, log), {
    ...limits,
    roles: usualRoles,
  });
  await streams.onModuleInit();
  server = createServer({ forceCloseConnections: true });
  server.decorateRequest('clientAddress', '');
  server.setErrorHandler((error, _, reply) => {
    if (!(error instanceof HttpFault)) throw error;
    answer(reply, error);
  });
  server.get<{ Params: { accountId: string } }>('/:accountId', async (request, reply) => {
    const { accountId } = request.params;
    streams.open({ accountId, after: '0', request, reply }, eventsOf(ledger, { accountId }));
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
}

async function listen(accountId: string): Promise<{ status: number; said: () => string; end: () => void }> {
  const ending = new AbortController();
  const response = await fetch(`${server.listeningOrigin}/${accountId}`, { signal: ending.signal });
  let said = '';
  void (async () => {
    for await (const chunk of response.body ?? []) said += Buffer.from(chunk).toString();
  })().catch(() => {});
  return { status: response.status, said: () => said, end: () => ending.abort() };
}

async function append(accountId: string, reason: string, count = 1): Promise<void> {
  const data = { scheduleId: ids.next(), instanceId: ids.next(), slotAt: '2026-11-23T14:30:00.000Z', reason };
  await ledger.append({
    ...{ stream: `backup-${ids.next()}`, expectedVersion: 0, accountId, instanceId: data.instanceId },
    context: { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' },
    events: Array.from({ length: count }, () => ({ id: ids.next(), type: 'SlotSkipped', data })),
    ...{ claims: [], releases: [] },
  });
}

const streamsOf = (usual: number | null, mostStreams = 1_000): StreamLimits => ({
  mostStreams,
  quotas: { streams: { usual, byAccount: new Map([['large', null]]) } },
});

describe('the streams of many accounts', () => {
  it('are woken by their own events alone', async () => {
    await serve(streamsOf(20));
    const [anna, bob] = [await listen('anna'), await listen('bob')];
    await append('bob', 'his first');
    await eventually(() => expect(bob.said()).toContain('his first'), within);
    const readOfBob = ledger.reads.get('bob');
    for (let n = 1; n <= 20; n += 1) {
      await append('anna', `her number ${n}.`);
      await eventually(() => expect(anna.said()).toContain(`her number ${n}.`), within);
    }
    expect(ledger.reads.get('bob')).toBe(readOfBob);
    await append('bob', 'his second');
    await eventually(() => expect(bob.said()).toContain('his second'), within);
  });

  it('have a limit for each account, which an operator can lift, and a stream that ends makes room', async () => {
    await serve(streamsOf(2));
    const [first] = [await listen('acme'), await listen('acme')];
    const refused = await fetch(`${server.listeningOrigin}/acme`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([413, '60']);
    for (let n = 0; n < 4; n += 1) expect((await listen('large')).status).toBe(200);
    first?.end();
    await eventually(async () => expect((await listen('acme')).status).toBe(200), within);
  });

  it('have a limit together, beyond which the service is busy', async () => {
    await serve(streamsOf(20, 3));
    for (const account of ['anna', 'bob', 'carla']) expect((await listen(account)).status).toBe(200);
    const refused = await fetch(`${server.listeningOrigin}/dora`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  });
});

it('a stream whose client takes nothing is cut off, and makes room', async () => {
  await serve(streamsOf(1), { slowestReadMs: 200 });
  for (let n = 0; n < 8; n += 1) await append('slow', 'x'.repeat(2_000), 500);
  const { port } = new URL(server.listeningOrigin);
  const socket = connect(Number(port), '127.0.0.1').pause();
  socket.on('error', () => {});
  socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'connect');
  await eventually(async () => expect((await fetch(`${server.listeningOrigin}/slow`)).status).toBe(413), within);
  await eventually(async () => {
    const next = await listen('slow');
    expect(next.status).toBe(200);
    next.end();
  }, within);
  socket.destroy();
});

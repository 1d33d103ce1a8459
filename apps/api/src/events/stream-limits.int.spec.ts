import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { StreamServer } from '../../fixtures/stream-server.js';
import type { StreamTimings } from '../edge/streams/live-stream.js';
import type { StreamLimits } from '../edge/streams/live-streams.js';

const within = { withinMs: 20_000 };
const ids = new RandomIds();

/** Counts how often each account's events are read. */
class CountingLedger extends Ledger {
  readonly reads = new Map<string, number>();

  override followAccount(accountId: string, after: number, limit: number): Promise<RecordedEvent[]> {
    this.reads.set(accountId, (this.reads.get(accountId) ?? 0) + 1);
    return super.followAccount(accountId, after, limit);
  }
}

let database: TestDatabase;
let dataSource: DataSource;
let ledger: CountingLedger;
let server: StreamServer;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'stream-limits-spec' }));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
afterEach(async () => {
  await server.close();
});

async function serve(limits: StreamLimits, timings: Partial<StreamTimings> = {}): Promise<void> {
  ledger = new CountingLedger(dataSource);
  server = await StreamServer.open({ dataSource, ledger, limits, timings });
}

const listen = (accountId: string) => server.listen(accountId);

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
    const refused = await fetch(server.urlOf('acme'));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([413, '60']);
    for (let n = 0; n < 4; n += 1) expect((await listen('large')).status).toBe(200);
    first?.end();
    await eventually(async () => expect((await listen('acme')).status).toBe(200), within);
  });

  it('have a limit together, beyond which the service is busy', async () => {
    await serve(streamsOf(20, 3));
    for (const account of ['anna', 'bob', 'carla']) expect((await listen(account)).status).toBe(200);
    const refused = await fetch(server.urlOf('dora'));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  });
});

it('a stream whose client takes nothing is cut off, and makes room', async () => {
  await serve(streamsOf(1), { slowestReadMs: 200 });
  for (let n = 0; n < 8; n += 1) await append('slow', 'x'.repeat(2_000), 500);
  const { port } = new URL(server.urlOf('slow'));
  const socket = connect(Number(port), '127.0.0.1').pause();
  socket.on('error', () => {});
  socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'connect');
  await eventually(async () => expect((await fetch(server.urlOf('slow'))).status).toBe(413), within);
  await eventually(async () => {
    const next = await listen('slow');
    expect(next.status).toBe(200);
    next.end();
  }, within);
  socket.destroy();
});

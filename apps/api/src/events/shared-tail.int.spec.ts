import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '@strongroom/contracts';
import { Ledger, type LedgerPlace } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { type Listening, StreamServer } from '../../fixtures/stream-server.js';
import type { StreamTimings } from '../edge/streams/live-stream.js';

const within = { withinMs: 30_000 };
const ids = new RandomIds();

/** Counts what the streams ask of it, and may hold up the tail, keep notices to itself, or fail. */
class WatchedLedger extends Ledger {
  readsOfStreams = 0;
  readsOfTail = 0;
  isDeaf = false;
  /** Called when the tail has read, before it is told what. */
  onTail: (() => Promise<void>) | undefined;

  override followAccount(accountId: string, after: number, limit: number): Promise<RecordedEvent[]> {
    this.readsOfStreams += 1;
    return super.followAccount(accountId, after, limit);
  }

  override async tailOfAccounts(accountIds: readonly string[], after: LedgerPlace, limit: number) {
    this.readsOfTail += 1;
    const found = await super.tailOfAccounts(accountIds, after, limit);
    await this.onTail?.();
    return found;
  }

  override onAppend(wake: () => void): Promise<() => Promise<void>> {
    return super.onAppend(() => this.isDeaf || wake());
  }
}

let database: TestDatabase;
let dataSource: DataSource;
let ledger: WatchedLedger;
let server: StreamServer;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'shared-tail-spec' }));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
afterEach(() => server.close());

async function serve(timings: Partial<StreamTimings> = {}): Promise<void> {
  ledger = new WatchedLedger(dataSource);
  const limits = { mostStreams: 1_000, quotas: { streams: { usual: null, byAccount: new Map() } } };
  server = await StreamServer.open({ dataSource, ledger, limits, timings });
}

async function append(accountId: string, count = 1, reason = 'paused'): Promise<string[]> {
  const data = { scheduleId: ids.next(), instanceId: ids.next(), slotAt: '2026-11-23T14:30:00.000Z', reason };
  const events = Array.from({ length: count }, () => ({ id: ids.next(), type: 'SlotSkipped' as const, data }));
  const outcome = await ledger.append({
    ...{ stream: `backup-${ids.next()}`, expectedVersion: 0, accountId, instanceId: data.instanceId },
    context: { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' },
    ...{ events, claims: [], releases: [] },
  });
  expect(outcome.outcome).toBe('appended');
  return events.map(({ id }) => id);
}

const told = (listening: Listening, wanted: readonly string[]) =>
  eventually(() => expect(listening.ids()).toEqual(wanted), within);

/** Streams that hear the tail: an event that comes now asks the database for nothing else. */
async function listening(accountId: string, count: number): Promise<Listening[]> {
  const streams = await Promise.all(Array.from({ length: count }, () => server.listen(accountId)));
  const seen = await append(accountId);
  for (const stream of streams) await eventually(() => expect(stream.ids().at(-1)).toBe(seen[0]), within);
  await eventually(async () => {
    const before = ledger.readsOfStreams;
    const [last] = await append(accountId);
    for (const stream of streams) await eventually(() => expect(stream.ids().at(-1)).toBe(last), within);
    expect(ledger.readsOfStreams).toBe(before);
  }, within);
  return streams;
}

describe('the streams of a process', () => {
  it('read each event once together, however many they are', async () => {
    await serve({ pollMs: 600_000 });
    const appends = 10;
    const reads: number[] = [];
    for (const count of [1, 60]) {
      const streams = await listening(`account-of-${count}`, count);
      const [ofStreams, ofTail] = [ledger.readsOfStreams, ledger.readsOfTail];
      for (let n = 0; n < appends; n += 1) {
        const [id] = await append(`account-of-${count}`);
        for (const stream of streams) await eventually(() => expect(stream.ids().at(-1)).toBe(id), within);
      }
      expect(ledger.readsOfStreams).toBe(ofStreams);
      reads.push(ledger.readsOfTail - ofTail);
      for (const stream of streams) stream.end();
    }
    // A notice may come during the read that it tells of, so that one more read finds nothing.
    for (const each of reads) expect(each).toBeLessThanOrEqual(2 * appends);
  });

  it('begin and end while events come, and each tells all of them in order, none twice', async () => {
    await serve();
    const accounts = ['anna', 'bob'];
    const all = new Map<string, string[]>(accounts.map((account) => [account, []]));
    const heard: { account: string; from: number; stream: Listening }[] = [];
    for (let round = 0; round < 40; round += 1) {
      const account = accounts[round % 2] ?? '';
      const before = all.get(account) ?? [];
      // A stream begins after some event that it has seen, or at the start, beside the appends of this round.
      const from = round % 3 === 0 ? 0 : Math.floor((before.length * (round % 5)) / 5);
      const [stream] = await Promise.all([
        server.listen(account, before[from - 1]),
        append(account, 1 + (round % 7)).then((made) => before.push(...made)),
        append('nobody listens', 3),
      ]);
      heard.push({ account, from, stream });
      if (round % 8 === 7) heard.shift()?.stream.end();
    }
    for (const account of accounts) all.get(account)?.push(...(await append(account, 120)));
    for (const { account, from, stream } of heard) await told(stream, all.get(account)?.slice(from) ?? []);
  });

  it('miss nothing when the first stream of an account begins while the tail reads', async () => {
    await serve({ pollMs: 600_000 });
    await listening('before', 1);
    let made: string[] = [];
    let late: Listening | undefined;
    ledger.onTail = async () => {
      ledger.onTail = undefined;
      // The tail has read past this event without asking for its account.
      late = await server.listen('late');
      await eventually(() => expect(late?.said()).toContain('retry'), within);
      made = await append('late');
      await append('before');
    };
    const held = await append('late');
    await append('before');
    await eventually(() => expect(made).toHaveLength(1), within);
    await eventually(() => expect(late?.ids()).toEqual([...held, ...made]), within);
  });

  it('hear of an event whose notice was lost', async () => {
    await serve();
    const [stream] = await listening('deaf', 1);
    ledger.isDeaf = true;
    const [id] = await append('deaf');
    await eventually(() => expect(stream?.ids().at(-1)).toBe(id), within);
  });

  it('look for themselves while the tail fails, and hear it again afterwards', async () => {
    await serve({ heartbeatMs: 100 });
    const [stream] = await listening('left alone', 1);
    ledger.onTail = () => Promise.reject(new Error('the tail of the spec fails'));
    for (let n = 0; n < 3; n += 1) {
      const [id] = await append('left alone');
      await eventually(() => expect(stream?.ids().at(-1)).toBe(id), within);
    }
    ledger.onTail = undefined;
    const [again] = await listening('left alone', 1);
    const whole = again?.ids() ?? [];
    await eventually(() => expect(stream?.ids()).toEqual(whole), within);
  });

  it('lose nothing when a client reads slower than events come, and keep no other waiting', async () => {
    await serve();
    const [quick] = await listening('crowded', 1);
    const { hostname, port } = new URL(server.urlOf('crowded'));
    const socket = connect(Number(port), hostname);
    socket.write('GET /crowded HTTP/1.1\r\nHost: x\r\nX-Auth-Token: crowded\r\n\r\n');
    await once(socket, 'data');
    socket.pause();
    // More than the sockets hold, and more items than a stream keeps.
    const made: string[] = [];
    for (let n = 0; n < 8; n += 1) made.push(...(await append('crowded', 500, 'x'.repeat(2_000))));
    await eventually(() => expect(quick?.ids().slice(-made.length)).toEqual(made), within);
    let slow = '';
    const heard: string[] = [];
    socket.on('data', (chunk: Buffer) => {
      const blocks = `${slow}${chunk.toString()}`.split('\n');
      slow = blocks.pop() ?? '';
      heard.push(
        ...blocks.flatMap((line) => (line.startsWith('id: ') && line !== 'id: 0' ? [line.slice(4).trim()] : [])),
      );
    });
    socket.resume();
    await eventually(() => expect(heard.slice(-made.length)).toEqual(made), within);
    expect(new Set(heard).size).toBe(heard.length);
    socket.destroy();
  });
});

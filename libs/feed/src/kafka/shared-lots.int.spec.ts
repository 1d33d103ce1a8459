import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '@strongroom/contracts';
import { createLogger } from '@strongroom/runtime';
import { z } from 'zod';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { DeadLetters } from '../dead-letters.js';
import type { FeedContext } from '../feed-context.js';
import { readMessage } from '../feed-message.js';
import { handledOf } from '../feed-offsets.js';
import { Handlers, together } from '../handlers.js';
import type { Lot } from '../lots.js';
import { SharedLots } from './shared-lots.js';

const transactions = z.array(z.object({ transaction: z.string() }));
const place = { group: 'group', source: 'kafka:cluster', topic: 'schedules' };

let world: FeedWorld;
beforeEach(async () => {
  world = await FeedWorld.create({ kind: 'embedded' });
});
afterEach(() => world.remove());

/** A broker with some events in a partition each, and a group that handles them. */
async function partitionsWithEvents(count: number) {
  const { dataSource, ledger, ids } = world;
  const log = createLogger({ app: 'spec', level: 'silent' });
  const broken = new Set<string>();
  const waiting = new Set<string>();
  const batches: { events: string[]; transaction: string }[] = [];
  const alone: { id: string; transaction: string }[] = [];
  const handlers = new Handlers();
  const handleAll = async (events: RecordedEvent[], { manager }: FeedContext) => {
    const found: unknown = await manager.query('select pg_current_xact_id()::text as transaction');
    const [{ transaction } = { transaction: '' }] = transactions.parse(found);
    batches.push({ events: events.map(({ id }) => id), transaction });
  };
  const handleOne = async ({ id }: RecordedEvent, { manager }: FeedContext) => {
    if (broken.has(id)) throw new Error('nobody can handle it');
    if (waiting.has(id)) await manager.query(`set local lock_timeout = '50ms'; select pg_advisory_xact_lock(178)`);
    const found: unknown = await manager.query('select pg_current_xact_id()::text as transaction');
    const [{ transaction } = { transaction: '' }] = transactions.parse(found);
    alone.push({ id, transaction });
  };
  handlers.add(together('ScheduleDeleted'), Object.assign(handleAll, { isEventHandler: true }));
  handlers.add('ScheduleDeleted', Object.assign(handleOne, { isEventHandler: true }));
  const lots = new SharedLots({
    ...{ dataSource, ledger, log, handlers, deadLetters: new DeadLetters(dataSource, place.group, ids, log) },
    metrics: { handled: () => {}, setAside: () => {}, unrecorded: () => {}, altered: () => {}, newer: () => {} },
    publishDeadLetter: async () => {},
  });
  const appended: string[] = [];
  for (let partition = 0; partition < count; partition += 1) appended.push(...(await world.append(ids.next())));
  const rows = await ledger.tail('schedule', 0, count);
  const lotOf = (partition: number, { offset = 0n, follows }: { offset?: bigint; follows?: bigint } = {}): Lot => {
    const row = rows[partition];
    if (!row) throw new Error(`there is no event for partition ${partition}`);
    const key = { ...place, partition };
    const message = { ...place, partition, offset, position: row.position, value: row.event, headers: {} };
    return { key, messages: [readMessage(message)], follows };
  };
  const offsets = async () => {
    const handled = await handledOf(dataSource.manager, place);
    return Array.from({ length: count }, (_, partition) => handled.get(partition)?.offset);
  };
  return { lots, lotOf, appended, batches, alone, broken, waiting, offsets };
}

describe('what the partitions of a consumer bring at once', () => {
  it('is handled in one transaction, in the order of the ledger, and the offset of each partition moves with it', async () => {
    const { lots, lotOf, appended, batches, alone, offsets } = await partitionsWithEvents(4);
    const gaps = await Promise.all([3, 0, 2, 1].map((partition) => lots.handle(lotOf(partition))));
    expect(gaps).toEqual([undefined, undefined, undefined, undefined]);
    expect(batches.map(({ events }) => events)).toEqual([appended]);
    expect(alone.map(({ id }) => id).sort()).toEqual([...appended].sort());
    expect(new Set([...batches, ...alone].map(({ transaction }) => transaction)).size).toBe(1);
    expect(await offsets()).toEqual([0n, 0n, 0n, 0n]);
  });

  it('is handled once, though it comes again', async () => {
    const { lots, lotOf, appended, alone } = await partitionsWithEvents(2);
    await Promise.all([lots.handle(lotOf(0)), lots.handle(lotOf(1))]);
    await Promise.all([lots.handle(lotOf(0)), lots.handle(lotOf(1, { offset: 9n })), lots.handle(lotOf(1))]);
    expect(alone.map(({ id }) => id).sort()).toEqual([...appended].sort());
  });

  it('is left where a partition has a gap before it, and there alone', async () => {
    const { lots, lotOf, appended, alone, offsets } = await partitionsWithEvents(3);
    const after = { offset: 6n, follows: 5n };
    const gaps = await Promise.all([lots.handle(lotOf(0)), lots.handle(lotOf(1, after)), lots.handle(lotOf(2))]);
    expect(gaps.map((gap) => gap?.handled)).toEqual([undefined, -1n, undefined]);
    expect(alone.map(({ id }) => id)).toEqual([appended[0], appended[2]]);
    expect(await offsets()).toEqual([0n, -1n, 0n]);
  });

  it('is handled where it can be: a message that nobody can handle is set aside alone', async () => {
    const { lots, lotOf, appended, alone, broken, offsets } = await partitionsWithEvents(3);
    broken.add(String(appended[1]));
    await Promise.all([0, 1, 2].map((partition) => lots.handle(lotOf(partition))));
    expect(new Set(alone.map(({ id }) => id))).toEqual(new Set([appended[0], appended[2]]));
    expect(await offsets()).toEqual([0n, 0n, 0n]);
    expect(await world.dataSource.query('select 1 from dead_letter')).toHaveLength(1);
  });

  it('does not wait for a partition whose handler waits for a lock, and shares no transaction with it until it is free', async () => {
    const { lots, lotOf, appended, batches, alone, waiting, offsets } = await partitionsWithEvents(5);
    waiting.add(String(appended[1]));
    await world.dataSource.transaction(async (holder) => {
      await holder.query('select pg_advisory_xact_lock(178)');
      const first = await Promise.allSettled([0, 1, 2].map((partition) => lots.handle(lotOf(partition))));
      expect(first.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      batches.length = 0;
      const again = await Promise.allSettled([3, 1, 4].map((partition) => lots.handle(lotOf(partition))));
      expect(again.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(batches.map(({ events }) => events)).toContainEqual([appended[3], appended[4]]);
    });
    await lots.handle(lotOf(1));
    expect(new Set(alone.map(({ id }) => id))).toEqual(new Set(appended));
    expect(await offsets()).toEqual([0n, 0n, 0n, 0n, 0n]);
  });
});

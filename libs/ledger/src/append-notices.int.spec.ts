import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { z } from 'zod';
import { eventually } from '../../../test/services/eventually.js';
import { type OwnLedger, openOwnLedger } from '../../../test/services/own-ledger.js';
import { SilentProxy } from '../../../test/services/silent-proxy.js';
import { AppendNotices, wakeReaders } from './append-notices.js';

const listening = `select pid from pg_stat_activity where datname = current_database() and application_name = 'strongroom-append-notices'`;

/** Waits while the clock of the test stands. */
async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !isSo(); await new Promise(setImmediate)) {
    if (performance.now() > end) throw new Error('it did not come to that');
  }
}

describe('the notices of appends', () => {
  let own: OwnLedger;
  let stops: (() => Promise<void>)[];
  beforeEach(async () => {
    own = await openOwnLedger();
    stops = [];
  });
  afterEach(async () => {
    for (const stop of stops) await stop();
    await own.close();
  });

  const reader = async () => {
    const seen = { calls: 0 };
    const stop = await own.ledger.onAppend(() => {
      seen.calls += 1;
    });
    stops.push(stop);
    await eventually(() => expect(seen.calls).toBeGreaterThan(0), { withinMs: 10_000 });
    return { seen, stop };
  };
  const sessions = async () => z.array(z.object({ pid: z.int() })).parse(await own.dataSource.query(listening));
  const isWokenAgain = async (...readers: { calls: number }[]) => {
    const before = readers.map(({ calls }) => calls);
    await wakeReaders(own.dataSource.manager);
    await eventually(() => expect(readers.every(({ calls }, at) => calls > (before[at] ?? 0))).toBe(true), {
      withinMs: 10_000,
    });
  };

  it('come over one connection for all readers, which ends with the last of them', async () => {
    const [first, second] = [await reader(), await reader()];
    expect(await sessions()).toHaveLength(1);
    await isWokenAgain(first.seen, second.seen);
    await first.stop();
    await isWokenAgain(second.seen);
    await second.stop();
    await eventually(async () => expect(await sessions()).toEqual([]), { withinMs: 10_000 });
  });

  it('come again after the connection was lost, and a reader looks for what it missed', async () => {
    const { seen } = await reader();
    const before = seen.calls;
    const [lost] = await sessions();
    await own.dataSource.query('select pg_terminate_backend($1)', [lost?.pid]);
    await eventually(() => expect(seen.calls).toBeGreaterThan(before), { withinMs: 20_000 });
    await eventually(async () => expect((await sessions()).filter(({ pid }) => pid !== lost?.pid)).toHaveLength(1), {
      withinMs: 20_000,
    });
    await isWokenAgain(seen);
  });

  it('come again after the connection fell silent, which tells nothing by itself', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'] });
    const proxy = await SilentProxy.before(own.database.url);
    let calls = 0;
    const notices = new AppendNotices(() => new pg.Client({ connectionString: proxy.url }));
    const stop = notices.add(() => {
      calls += 1;
    });
    try {
      await until(() => calls === 1);
      proxy.silence();
      await wakeReaders(own.dataSource.manager);
      // It is asked for an answer, and gives none in time; then a new one is made.
      jest.advanceTimersByTime(15_000);
      proxy.speak();
      jest.advanceTimersByTime(5_000);
      expect(calls).toBe(1);
      jest.advanceTimersByTime(1_000);
      await until(() => calls === 3);
      await wakeReaders(own.dataSource.manager);
      await until(() => calls === 4);
    } finally {
      jest.useRealTimers();
      await stop();
      await proxy.close();
    }
  });

  it('begin again for a reader that comes after the last one has gone', async () => {
    await (await reader()).stop();
    await isWokenAgain((await reader()).seen);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { eventually } from '../../../test/services/eventually.js';
import { type OwnLedger, openOwnLedger } from '../../../test/services/own-ledger.js';
import { wakeReaders } from './append-notices.js';

const listening = `select pid from pg_stat_activity where datname = current_database() and application_name = 'strongroom-append-notices'`;

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

  it('begin again for a reader that comes after the last one has gone', async () => {
    await (await reader()).stop();
    await isWokenAgain((await reader()).seen);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { rowsLookedAt } from '../../../test/services/rows-looked-at.js';
import { Ledger } from './index.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const begin = Date.parse('2026-03-01T00:00:00.000Z');
const at = (seconds: number) => new Date(begin + seconds * 1_000);

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'before-spec' }));
  ledger = new Ledger(dataSource);
});
afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});

interface Written {
  id: string;
  position: number;
  at: Date;
}

/** Writes an event for each of the times, in seconds since the beginning. */
async function write(account: string, seconds: readonly number[]): Promise<Written[]> {
  const rows: { id: string; position: string; at: Date }[] = await dataSource.query(
    `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
     select gen_random_uuid(), 'instance-' || id, 1, 'instance', 'InstanceForgotten', $1, id, at, jsonb_build_object('instanceId', id), $3
     from (select at, gen_random_uuid() as id from unnest($2::timestamptz[]) as given(at)) made returning id, position, at`,
    [account, seconds.map(at), context],
  );
  return rows.map((row) => ({ ...row, position: Number(row.position) }));
}
const newAccount = (name: string) => `${name}-${ids.next()}`;

/** How many rows of the ledger a piece of work has looked at. */
async function rowsOf(work: (manager: EntityManager) => Promise<unknown>): Promise<number> {
  return dataSource.transaction(async (manager) => {
    const before = await rowsLookedAt(manager, 'ledger_event');
    await work(manager);
    return (await rowsLookedAt(manager, 'ledger_event')) - before;
  });
}

describe('the last event before an instant', () => {
  it('is found for each instant, before, between and after the events, among those of other accounts', async () => {
    const [one, other] = [newAccount('one'), newAccount('other')];
    const events: Written[] = [];
    for (const seconds of [[10, 10, 11], [30], [31, 31, 31, 40], [90]]) {
      events.push(...(await write(one, seconds)));
      await write(other, [seconds[0] ?? 0, 1_000]);
    }
    for (let second = 9; second <= 92; second += 0.5) {
      const expected = events.findLast((event) => event.at.getTime() < at(second).getTime());
      expect(await ledger.lastBefore(one, at(second))).toEqual(
        expected && { id: expected.id, position: expected.position },
      );
    }
  });

  it('is none for an account without events', async () => {
    expect(await ledger.lastBefore(newAccount('nobody'), at(0))).toBeUndefined();
  });

  it('is found by a few looks along one index, whether the account has nearly all events or one', async () => {
    const [crowd, rare] = [newAccount('crowd'), newAccount('rare')];
    await write(rare, [5]);
    const many = await write(
      crowd,
      Array.from({ length: 20_000 }, (_, second) => second),
    );
    await write(rare, [20_000]);
    await dataSource.query('analyze ledger_event');
    expect((await ledger.lastBefore(crowd, at(15_000)))?.position).toBe(many[14_999]?.position);
    for (const account of [crowd, rare]) {
      expect(await rowsOf((manager) => ledger.lastBefore(account, at(15_000), manager))).toBeLessThan(60);
    }
  });

  it('is one of those around where the clock of the database was set back, and none is found beyond', async () => {
    const account = newAccount('odd');
    const events = await write(account, [100, 101, 102, 95, 96, 103, 104]);
    const found = await ledger.lastBefore(account, at(98));
    expect([undefined, events[3], events[4]].map((event) => event?.id)).toContain(found?.id);
    expect((await ledger.lastBefore(account, at(104)))?.id).toBe(events[5]?.id);
  });
});

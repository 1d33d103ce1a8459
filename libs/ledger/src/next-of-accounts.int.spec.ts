import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { rowsLookedAt } from '../../../test/services/rows-looked-at.js';
import { Ledger } from './index.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const much = { events: 100, bytes: 1_000_000 };

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'next-spec' }));
  ledger = new Ledger(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

/** Writes one event of each of the accounts, in this order. @returns the positions */
async function write(accounts: readonly string[], type = 'InstanceForgotten', more = {}): Promise<number[]> {
  const rows: { position: string }[] = await dataSource.query(
    `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
     select gen_random_uuid(), 'instance-' || id, 1, 'instance', $2, account, id, now(), jsonb_build_object('instanceId', id) || $3::jsonb, $4
     from (select account, gen_random_uuid() as id from unnest($1::text[]) as asked(account)) made returning position`,
    [accounts, type, JSON.stringify(more), context],
  );
  return rows.map(({ position }) => Number(position));
}
const next = async (after: [string, number][], limits = much) =>
  [...(await ledger.nextOfAccounts(dataSource.manager, new Map(after), limits))].map(([account, found]) => ({
    account,
    positions: found.events.map(({ position }) => position),
    end: found.end,
    isMore: found.isMore,
  }));
const [one, two, three] = [`one-${ids.next()}`, `two-${ids.next()}`, `three-${ids.next()}`] as const;

describe('the next events of accounts', () => {
  it('are those of each account beyond its own place, in order', async () => {
    const at = await write([two, one, three, one, two, one]);
    expect(
      await next([
        [one, at[1] ?? 0],
        [two, 0],
        [three, at[2] ?? 0],
      ]),
    ).toEqual([
      { account: one, positions: [at[3], at[5]], end: at[5], isMore: false },
      { account: two, positions: [at[0], at[4]], end: at[4], isMore: false },
      { account: three, positions: [], end: undefined, isMore: false },
    ]);
  });

  it('end where there are too many, and the accounts behind that are left out', async () => {
    const all = await next(
      [
        [three, 0],
        [one, 0],
        [two, 0],
      ],
      { ...much, events: 3 },
    );
    expect(all.map(({ account, positions, isMore }) => [account, positions.length, isMore])).toEqual([
      [three, 1, false],
      [one, 2, true],
    ]);
  });

  it('end where they are too large, but for the first', async () => {
    const large = `large-${ids.next()}`;
    const text = Array.from({ length: 2_000 }, () => ids.next()).join('');
    const at = await write([large, large, large], 'InstanceForgotten', { text });
    expect(
      await next(
        [
          [large, 0],
          [one, 0],
        ],
        { events: 100, bytes: 1 },
      ),
    ).toEqual([{ account: large, positions: [at[0]], end: at[0], isMore: true }]);
  });

  it('tell apart what can not be read, and go on behind it', async () => {
    const odd = `odd-${ids.next()}`;
    const [newer] = await write([odd], 'InstanceTeleported');
    const [broken] = await write([odd], 'InstanceRegistered');
    const found = (await ledger.nextOfAccounts(dataSource.manager, new Map([[odd, 0]]), much)).get(odd);
    expect(found).toMatchObject({
      events: [],
      newer: [{ accountId: odd, position: newer, newerType: 'InstanceTeleported' }],
      unreadable: [{ accountId: odd, position: broken }],
      read: 2,
      end: broken,
      isMore: false,
    });
  });

  it('and the newest one are found by the index of accounts, though nearly all events are of another one', async () => {
    const [crowd, rare] = [`crowd-${ids.next()}`, `rare-${ids.next()}`];
    const [first] = await write([rare]);
    await write(Array.from({ length: 5_000 }, () => crowd));
    await dataSource.query('analyze ledger_event');
    const looked = await dataSource.transaction(async (manager) => {
      // A session that has often looked for one account has a plan for any.
      for (let look = 0; look < 12; look += 1) await manager.query('select ledger_newest_of($1)', [crowd]);
      const before = await rowsLookedAt(manager, 'ledger_event');
      expect((await ledger.nextOfAccounts(manager, new Map([[rare, 0]]), much)).get(rare)).toMatchObject({
        end: first,
      });
      expect(await manager.query('select ledger_newest_of($1) as position', [rare])).toEqual([
        { position: `${first}` },
      ]);
      return (await rowsLookedAt(manager, 'ledger_event')) - before;
    });
    expect(looked).toBeLessThan(10);
  });
});

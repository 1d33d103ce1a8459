import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { created, passOverOne, registered, type Written, writeEvent } from '../fixtures/written-events.js';
import { Schedules, Views, viewTables } from './index.js';

const ids = new RandomIds();

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let views: Views;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({
    applicationName: 'large-accounts-spec',
    entities: viewTables,
  }));
  ledger = new Ledger(dataSource);
  views = new Views(dataSource, ledger);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

const write = (...event: Written) => writeEvent(dataSource, ...event);
const passOver = (accountId: string, newerType: string) => passOverOne(dataSource, accountId, newerType);

describe('an account with very many rows', () => {
  /** Notes how many rows of a table each transaction changes. */
  async function count(
    table: string,
    change: 'insert' | 'delete',
  ): Promise<{ most(): Promise<number>; stop(): Promise<void> }> {
    const rows = change === 'insert' ? 'new table' : 'old table';
    await dataSource.query(`
      create table changed (transaction xid8, n integer);
      create function note_changed() returns trigger language plpgsql as $$
        begin insert into changed select pg_current_xact_id(), count(*) from rows; return null; end $$;
      create trigger note_changed after ${change} on ${table} referencing ${rows} as rows
        for each statement execute function note_changed();`);
    const sums = 'select sum(n)::int as n from changed group by transaction';
    return {
      most: async () => (await dataSource.query(`select max(n) as most from (${sums}) each`))[0].most,
      stop: () =>
        dataSource.query(`drop trigger note_changed on ${table}; drop function note_changed; drop table changed`),
    };
  }

  it('is folded anew in bounded pieces, and nothing that was there before is left', async () => {
    const accountId = `account-${ids.next()}`;
    const schedule = ids.next();
    await write(accountId, 'schedule', schedule, 'ScheduleCreated', created(schedule));
    await views.catchUp(accountId);
    await dataSource.query(
      `insert into schedule_view select (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid()))).*
       from schedule_view s, generate_series(1, 2500) where id = $1`,
      [schedule],
    );
    await dataSource.query('update view_head set position = 0 where account_id = $1', [accountId]);
    const counted = await count('schedule_view', 'delete');
    try {
      await views.catchUp(accountId);
      expect(await counted.most()).toBeLessThanOrEqual(1_000);
    } finally {
      await counted.stop();
    }
    expect(await dataSource.query('select id from schedule_view where account_id = $1', [accountId])).toEqual([
      { id: schedule },
    ]);
  });

  it('is brought up to date in bounded pieces with what an older version has passed over', async () => {
    const accountId = `account-${ids.next()}`;
    const [before, newer] = [ids.next(), ids.next()];
    await write(accountId, 'instance', before, 'InstanceRegistered', registered(before));
    await views.catchUp(accountId);
    await write(accountId, 'schedule', newer, 'ScheduleTeleported', {});
    const schedules = Array.from({ length: 250 }, () => ids.next());
    for (const id of schedules) await write(accountId, 'schedule', id, 'ScheduleCreated', created(id));
    const builds = Array.from({ length: 120 }, () => ids.next());
    for (const id of builds) await write(accountId, 'instance', id, 'InstanceRegistered', registered(id));
    await passOver(accountId, 'ScheduleTeleported');
    await passOver(accountId, 'ScheduleCreated');
    await passOver(accountId, 'InstanceRegistered datastore.type=postgresql');
    const counted = await count('schedule_view', 'insert');
    try {
      await views.catchUp(accountId);
      expect(await counted.most()).toBeLessThanOrEqual(100);
    } finally {
      await counted.stop();
    }
    const rows = await dataSource.query(
      `select (select count(*)::int from schedule_view where account_id = $1) as schedules,
         (select count(*)::int from instance_view where account_id = $1) as instances,
         passed_over from view_head where account_id = $1`,
      [accountId],
    );
    expect(rows).toEqual([{ schedules: 250, instances: 121, passed_over: ['ScheduleTeleported'] }]);
  });

  it('is brought up to date by several processes at once, while an older one passes over more', async () => {
    const accountId = `account-${ids.next()}`;
    const [before, late] = [ids.next(), ids.next()];
    const beside: Promise<void>[] = [];
    class LedgerWithOlderProcess extends Ledger {
      override placesOf(...asked: Parameters<Ledger['placesOf']>): ReturnType<Ledger['placesOf']> {
        if (beside.length === 0) beside.push(this.passOverOneMore());
        return super.placesOf(...asked);
      }

      private async passOverOneMore(): Promise<void> {
        await write(accountId, 'schedule', late, 'ScheduleCreated', created(late));
        await passOver(accountId, 'ScheduleCreated');
      }
    }
    const processes = [ledger, new LedgerWithOlderProcess(dataSource)].map((each) => new Views(dataSource, each));
    await write(accountId, 'instance', before, 'InstanceRegistered', registered(before));
    await views.catchUp(accountId);
    const schedules = Array.from({ length: 310 }, () => ids.next());
    for (const id of schedules) await write(accountId, 'schedule', id, 'ScheduleCreated', created(id));
    await passOver(accountId, 'ScheduleCreated');
    await Promise.all(processes.map((each) => each.catchUp(accountId)));
    await Promise.all(beside);
    await views.catchUp(accountId);
    const rows = await dataSource.query(
      `select (select count(*)::int from schedule_view where account_id = $1) as schedules, passed_over, whole_until = position as whole
       from view_head where account_id = $1`,
      [accountId],
    );
    expect(rows).toEqual([{ schedules: 311, passed_over: [], whole: true }]);
  });

  it('is brought up to date though it has very many events between those that were passed over', async () => {
    const accountId = `account-${ids.next()}`;
    const [instance, first, last] = [ids.next(), ids.next(), ids.next()];
    await write(accountId, 'instance', instance, 'InstanceRegistered', registered(instance));
    await views.catchUp(accountId);
    await write(accountId, 'schedule', first, 'ScheduleCreated', created(first));
    await dataSource.query(
      `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
       select gen_random_uuid(), 'backup-' || gen_random_uuid(), 1, 'backup', 'BackupTeleported', $1, $2, now(), '{}', '{}'
       from generate_series(1, 4500)`,
      [accountId, instance],
    );
    await write(accountId, 'schedule', last, 'ScheduleCreated', created(last));
    await passOver(accountId, 'ScheduleCreated');
    await views.catchUp(accountId);
    for (const id of [first, last])
      expect(await new Schedules(dataSource).find(accountId, id)).toMatchObject({ hour: 14 });
  });
});

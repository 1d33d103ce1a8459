import { afterEach, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { migrate, migrations } from '@strongroom/database';
import { Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { olderDatabase } from '../fixtures/older-database.js';
import { Views } from './index.js';

const ids = new RandomIds();
const views = ['instance_view', 'schedule_view', 'backup_view', 'run_view', 'copy_view'];

let database: Awaited<ReturnType<typeof olderDatabase>>;
afterEach(() => database.drop());

/** The rows of each table. */
async function rowsOf(dataSource: DataSource, tables: string[]): Promise<Record<string, unknown[]>> {
  const rows: Record<string, unknown[]> = {};
  for (const table of tables) {
    rows[table] = await dataSource.query(`select to_jsonb(t) as row from ${table} t order by t::text`);
  }
  return rows;
}

async function tablesOf(dataSource: DataSource): Promise<string[]> {
  const found: { name: string }[] = await dataSource.query(
    `select tablename as name from pg_tables where schemaname = 'public' and tablename <> 'schema_migration'`,
  );
  return found.map(({ name }) => name);
}

describe('an upgrade', () => {
  it.each([9, 12, 17] as const)(
    'makes the same rows from those of version %i as a rebuild makes from the events',
    async (version) => {
      database = await olderDatabase(version);
      const { newer } = database;
      await migrate(newer);
      const upgraded = await rowsOf(newer, views);
      expect(Object.values(upgraded).map((rows) => rows.length)).toEqual([1, 1, 6, 9, 4]);
      await new Views(newer, new Ledger(newer)).rebuild();
      expect(await rowsOf(newer, views)).toEqual(upgraded);
    },
  );

  it('keeps every row of the version before, and what the ledger promised then', async () => {
    database = await olderDatabase(17);
    const { older, newer } = database;
    const tables = await tablesOf(older);
    const before = await rowsOf(older, tables);
    expect(Object.entries(before).filter(([, rows]) => rows.length === 0)).toEqual([]);
    await migrate(newer);
    // A quota that came later counts from what was there, in a row of its own.
    const { ledger_quota: quotas, ...others } = before;
    const { ledger_quota: newerQuotas, ...newerOthers } = await rowsOf(newer, tables);
    expect(newerOthers).toMatchObject(others);
    expect(newerQuotas).toEqual(expect.arrayContaining(quotas ?? ['none']));

    const ledger = new Ledger(newer);
    const head = await ledger.head();
    const [schedule]: { id: string; account_id: string; instance_id: string }[] = await newer.query(
      'select id, account_id, instance_id from schedule_view',
    );
    if (!schedule) throw new Error('the version before left no schedule');
    const { id: scheduleId, account_id: accountId, instance_id: instanceId } = schedule;
    const request = {
      stream: streamOf('schedule', scheduleId),
      accountId,
      instanceId,
      claims: [],
      releases: [],
      context: { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' },
      events: [{ type: 'ScheduleDeleted' as const, id: ids.next(), data: { scheduleId, instanceId } }],
    };
    const claims = [{ kind: 'schedule-of-instance', key: instanceId }];
    expect(await ledger.append({ ...request, expectedVersion: 1 })).toMatchObject({ outcome: 'conflict' });
    expect(await ledger.append({ ...request, expectedVersion: 2, claims })).toMatchObject({ outcome: 'claimed' });
    expect(await ledger.append({ ...request, expectedVersion: 2, releases: claims })).toMatchObject({
      outcome: 'appended',
      position: head + 1,
    });
  });

  it('lets an older process go on beside it, and one that starts beside it changes nothing', async () => {
    database = await olderDatabase(17);
    const { older, newer } = database;
    await migrate(newer);
    const functions = () =>
      newer.query(`select oid, xmin, prosrc from pg_proc where pronamespace = 'public'::regnamespace order by oid`);
    const installed: unknown = await functions();
    await migrate(older);
    expect(await functions()).toEqual(installed);
    const append = `select outcome from ledger_append(jsonb_build_array(jsonb_build_object(
      'request', 0, 'stream', 'backup-older', 'expectedVersion', 0, 'accountId', 'acme', 'instanceId', $1::uuid, 'aggregate', 'backup',
      'context', '{}'::jsonb, 'events', jsonb_build_array(jsonb_build_object('id', $1, 'type', 'SlotSkipped', 'data', '{}'::jsonb)),
      'claims', '[]'::jsonb, 'releases', '[]'::jsonb)))`;
    expect(await older.query(append, [ids.next()])).toEqual([{ outcome: 'appended' }]);
    await older.query(
      `insert into slot_timer (schedule_id, account_id, instance_id, hour, minute, day_of_week, paused, copy_to, version, next_slot_at)
       values ($1, 'acme', $1, 1, 2, 3, false, '{}', 1, now())`,
      [ids.next()],
    );
  });

  it('is never undone: each migration says what to do instead', async () => {
    database = await olderDatabase(17);
    for (const migration of migrations) {
      await expect(new migration().down()).rejects.toThrow(/restore a backup of the database/);
    }
  });
});

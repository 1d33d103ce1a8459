import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { differenceOf, dumpSchema } from '../fixtures/schema-dump.js';
import { migrate, migrations, mustBeUpToDate } from './index.js';

const names = migrations.map(({ name }) => name);
const placeOf = (name: string) => names.indexOf(name);
/** They were merged after newer ones, so a database may have migration 135 and none of these. */
const late = names.slice(placeOf('LongStreams1700000000124'), placeOf('LimitsInForce1700000000132') + 1);
const before = migrations.filter(
  ({ name }, at) => at <= placeOf('AuditedWebhooks1700000000135') && !late.includes(name),
);

const scheduleId = randomUUID();
const instanceId = randomUUID();
const runningId = randomUUID();
const jobId = randomUUID();
const tables = [
  'ledger_event',
  'job',
  'schedule_view',
  'backup_view',
  'run_view',
  'schedule_outcome',
  'webhook_cursor',
];

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  const options = { url: database.url, applicationName: 'late-migrations-spec', poolSize: 2, longestStatementMs: 0 };
  const older = await openDataSource({ ...options, migrations: before });
  try {
    await older.runMigrations();
    await fill(older);
  } finally {
    await older.destroy();
  }
  dataSource = await openDataSource(options);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

/** A schedule that is changed often, one of its backups that has ended and one that has not, a job, and a webhook. */
async function fill(older: DataSource): Promise<void> {
  const events = Array.from({ length: 40 }, (_, at) => ({
    id: randomUUID(),
    type: at === 0 ? 'ScheduleCreated' : 'ScheduleUpdated',
    data: { scheduleId, instanceId, paused: at % 2 === 1 },
  }));
  const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
  const request = {
    ...{ request: 0, stream: `schedule-${scheduleId}`, expectedVersion: 0, aggregate: 'schedule' },
    ...{ accountId: 'acme', instanceId, context, events, claims: [], releases: [] },
  };
  const appended: unknown = await older.query('select outcome from ledger_append($1)', [JSON.stringify([request])]);
  expect(appended).toEqual([{ outcome: 'appended' }]);
  await older.query('select job_add($1)', [JSON.stringify([{ kind: 'copy', id: jobId, accountId: 'acme' }])]);
  await older.query(
    `insert into schedule_view (id, account_id, instance_id, day_of_week, hour, minute, full_backup_retention, copy_to, paused,
       created_at, updated_at, version)
     values ($1, 'acme', $2, 7, 2, 0, 2, '{}', false, now(), now(), 40)`,
    [scheduleId, instanceId],
  );
  const backup = `insert into backup_view (id, account_id, instance_id, schedule_id, slot_at, trigger, type, name, datastore_type,
      datastore_version, copy_to, status, attempt, created_at, updated_at, version, sha256, ended_at)
    values ($1, 'acme', $2, $3, now(), 'slot', 'full', 'nightly', 'postgresql', '18', '{}', $4, 1, now(), now(), 3, $5, $6)`;
  await older.query(backup, [randomUUID(), instanceId, scheduleId, 'COMPLETED', 'a digest', new Date()]);
  await older.query(backup, [runningId, instanceId, scheduleId, 'BUILDING', null, null]);
  await older.query(
    `insert into run_view (id, account_id, instance_id, schedule_id, slot_at, outcome, reason, created_at, version)
     values ($1, 'acme', $2, $3, now(), 'skipped', 'one had not ended', now(), 1)`,
    [randomUUID(), instanceId, scheduleId],
  );
  await older.query(`insert into webhook_cursor (webhook_id, account_id, position) values ($1, 'acme', 1)`, [
    randomUUID(),
  ]);
}

async function rows(): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const table of tables) {
    found[table] = await dataSource.query(`select to_jsonb(t) as row from ${table} t order by t::text`);
  }
  return found;
}

const outcomes = () => dataSource.query('select completed::int, failed::int, skipped::int from schedule_outcome');

describe('a database that has newer migrations, and lacks some that were merged after them', () => {
  let filled: Record<string, unknown>;
  beforeAll(async () => {
    filled = await rows();
  });

  it('is not taken for one that is up to date: all that it lacks are named', async () => {
    expect(late).toHaveLength(9);
    const lacking = names.filter((name) => !before.some((there) => there.name === name));
    await expect(mustBeUpToDate(dataSource)).rejects.toThrow(`it lacks ${lacking.join(', ')}.`);
  });

  it('is migrated to the schema of a new one, with every row that it had', async () => {
    await migrate(dataSource);
    await mustBeUpToDate(dataSource);
    const kept = readFileSync(join(__dirname, '..', 'schema.sql'), 'utf8');
    const query = async (sql: string) => ({ rows: await dataSource.query(sql) });
    expect(differenceOf(kept, await dumpSchema({ query }))).toBeUndefined();
    expect(await dataSource.query('select indexrelid::regclass::text from pg_index where not indisvalid')).toEqual([]);
    expect(await rows()).toMatchObject(filled);
  });

  it('goes on from there: a job that was there is leased, and a backup that was running ends', async () => {
    const lease = `select id from job_lease('copy', '', 'spec', 'reader', 1, 60000, '{}', null, '{}', null)`;
    expect(await dataSource.query(lease)).toEqual([{ id: jobId }]);
    expect(await outcomes()).toEqual([{ completed: 1, failed: 0, skipped: 1 }]);
    await dataSource.query(`update backup_view set ended_at = now(), sha256 = 'another' where id = $1`, [runningId]);
    expect(await outcomes()).toEqual([{ completed: 2, failed: 0, skipped: 1 }]);
  });

  it('gives what is explained of a long stream by the indexes that came late', async () => {
    const newestOf: unknown = await dataSource.query(
      `select version from ledger_newest_of_types(array[$1::text], array['ScheduleUpdated'], 'infinity') where version > 32`,
      [`schedule-${scheduleId}`],
    );
    expect(newestOf).toEqual([{ version: 40 }]);
  });
});

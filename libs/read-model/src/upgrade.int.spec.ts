import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type Aggregate, type NewEvent, streamOf } from '@strongroom/contracts';
import { createDataSource, migrate } from '@strongroom/database';
import { copyId } from '@strongroom/domain';
import { Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { createTestDatabase } from '../../../test/services/database.js';
import { Views, viewTables } from './index.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const accountId = 'acme';
const startedAt = '2026-11-23T14:30:00.000Z';
const [instanceId, scheduleId] = [ids.next(), ids.next()];
const datastore = { type: 'postgresql' as const, version: '18' };

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let dataSource: DataSource;
let ledger: Ledger;
beforeAll(async () => {
  database = await createTestDatabase();
  const options = { url: database.url, applicationName: 'upgrade-spec', entities: viewTables };
  dataSource = await createDataSource(options).initialize();
  await migrate(dataSource);
  ledger = new Ledger(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

async function record(aggregate: Aggregate, id: string, ...events: NewEvent[]): Promise<void> {
  const stream = streamOf(aggregate, id);
  const request = { stream, expectedVersion: 0, accountId, instanceId, context, claims: [], releases: [] };
  const outcome = await ledger.append({ ...request, events: events.map((event) => ({ ...event, id: ids.next() })) });
  expect(outcome).toMatchObject({ outcome: 'appended' });
}

/** As the version before lineages recorded it. */
function backup(day: number, end: 'running' | 'completed' | 'failed' | 'delete-failed' | 'deleting' | 'deleted') {
  const backupId = ids.next();
  const slotAt = `2026-11-${10 + day}T14:30:00.000Z`;
  const of = { backupId, instanceId, scheduleId };
  const made = { type: 'full' as const, parentId: null, copyTo: ['IAD'] };
  const request: NewEvent = {
    type: 'BackupRequested',
    data: { ...of, ...made, slotAt, trigger: 'slot', name: 'orders', description: null, datastore },
  };
  const started: NewEvent = { type: 'BackupStarted', data: { backupId, attempt: 1, region: 'DFW', runner: 'spec' } };
  const bytes = { location: backupId, sizeBytes: 1, rawBytes: 1, sha256: 'a'.repeat(64), startedAt };
  const completed: NewEvent = {
    type: 'BackupCompleted',
    data: { ...of, ...made, attempt: 1, region: 'DFW', ...bytes },
  };
  const fault = { code: 'server-unreachable', reason: 'down' };
  const ends: Record<typeof end, NewEvent[]> = {
    running: [],
    completed: [completed],
    failed: [{ type: 'BackupFailed', data: { ...of, attempt: 1, ...fault } }],
    deleting: [completed, { type: 'BackupDeletionRequested', data: { ...of, trigger: 'request' } }],
    'delete-failed': [
      completed,
      { type: 'BackupDeletionRequested', data: { ...of, trigger: 'request' } },
      { type: 'BackupDeletionFailed', data: { backupId, instanceId, ...fault } },
    ],
    deleted: [
      completed,
      { type: 'BackupDeletionRequested', data: { ...of, trigger: 'request' } },
      { type: 'BackupDeleted', data: of },
    ],
  };
  return { backupId, events: [request, started, ...ends[end]] };
}

async function fill(): Promise<void> {
  await record('instance', instanceId, {
    type: 'InstanceRegistered',
    data: {
      ...{ instanceId, name: 'orders', datastore },
      endpoint: { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'require' },
    },
  });
  const definition = { dayOfWeek: 7, hour: 14, minute: 30, fullBackupRetention: 2, copyTo: ['IAD'], paused: false };
  await record('schedule', scheduleId, { type: 'ScheduleCreated', data: { scheduleId, instanceId, ...definition } });
  for (const [day, end] of (
    ['deleted', 'deleting', 'delete-failed', 'failed', 'completed', 'completed', 'running'] as const
  ).entries()) {
    const { backupId, events } = backup(day, end);
    await record('backup', backupId, ...events);
    if (end === 'failed' || end === 'running' || end === 'deleted') continue;
    const request = {
      ...{ copyId: copyId(backupId, 'IAD'), backupId, instanceId, region: 'IAD', sourceRegion: 'DFW' },
      ...{ parentId: null, sizeBytes: 1, sha256: 'a'.repeat(64) },
    };
    await record('copy', request.copyId, { type: 'CopyRequested', data: request });
  }
  const slot = { scheduleId, instanceId, slotAt: '2026-11-19T14:30:00.000Z', reason: 'busy' };
  await record('backup', ids.next(), { type: 'SlotSkipped', data: slot });
}

const tables = ['instance_view', 'schedule_view', 'backup_view', 'run_view', 'copy_view'];

/** By table, its rows. */
async function shown(): Promise<Map<string, unknown>> {
  const rows = new Map<string, unknown>();
  for (const table of tables) {
    rows.set(table, await dataSource.query(`select to_jsonb(v) as row from ${table} v order by id`));
  }
  return rows;
}

it('what an older version has folded is, after the upgrade, what a rebuild makes of it', async () => {
  const views = new Views(dataSource, ledger);
  await fill();
  await views.catchUp(accountId);
  // Back to the schema of the version before, with its rows.
  const { migrations } = dataSource;
  const newer = migrations.filter(({ constructor: { name } }) => Number(/\d{13}$/.exec(name)) > 1_700_000_000_012);
  expect(newer.length).toBeGreaterThanOrEqual(5);
  for (const _ of newer) await dataSource.undoLastMigration();
  const columns: unknown[] = await dataSource.query(
    `select from information_schema.columns where column_name in ('position', 'lineage') and table_name = 'backup_view'`,
  );
  expect(columns).toEqual([]);
  await migrate(dataSource);
  const upgraded = await shown();
  expect(upgraded.get('backup_view')).toHaveLength(6);
  expect(upgraded.get('copy_view')).toHaveLength(4);
  await views.rebuild();
  expect(await shown()).toEqual(upgraded);
});

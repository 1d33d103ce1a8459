import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type NewEvent, streamOf } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import { RestoreTests, ScheduleOutcomes, Views, viewTables } from '@strongroom/read-model';
import { Metrics, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { measureSchedules } from './schedule-metrics.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };

let database: TestDatabase;
let dataSource: DataSource;
let late: string;
let instanceOfLate = '';

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({
    applicationName: 'schedule-metrics-spec',
    entities: viewTables,
  }));
  const ledger = new Ledger(dataSource);
  for (const scheduleId of [ids.next(), ids.next(), ids.next()]) {
    const instanceId = ids.next();
    const definition = { dayOfWeek: 0, hour: 14, minute: 30, fullBackupRetention: 2, copyTo: ['IAD'], paused: false };
    await ledger.append({
      ...{ stream: streamOf('schedule', scheduleId), expectedVersion: 0, accountId: 'acme', instanceId, context },
      events: [{ id: ids.next(), type: 'ScheduleCreated', data: { scheduleId, instanceId, ...definition } }],
      ...{ claims: [], releases: [] },
    });
    late = scheduleId;
    instanceOfLate = instanceId;
  }
  const backupId = ids.next();
  const ofBackup = { backupId, instanceId: instanceOfLate, scheduleId: late, region: 'IAD' };
  const test = (seconds: number): NewEvent => ({
    type: 'RestoreTested',
    data: { ...ofBackup, seconds, proof: 'tables-read' },
  });
  const fault = { code: 'object-altered', reason: 'altered' };
  const events: NewEvent[] = [
    test(4),
    test(2),
    { type: 'RestoreTestFailed', data: { ...ofBackup, seconds: 1, ...fault } },
  ];
  await ledger.append({
    ...{
      stream: streamOf('backup', backupId),
      expectedVersion: 0,
      accountId: 'acme',
      instanceId: instanceOfLate,
      context,
    },
    ...{ events: events.map((event) => ({ id: ids.next(), ...event })), claims: [], releases: [] },
  });
  await new Views(dataSource, ledger).catchUp('acme');
  await dataSource.query(
    `update schedule_outcome set active_since = active_since - interval '2 days' where schedule_id = $1`,
    [late],
  );
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

function measured(metricSchedules: number): Metrics {
  const metrics = new Metrics();
  const outcomes = new ScheduleOutcomes(dataSource);
  const restoreTests = new RestoreTests(dataSource);
  measureSchedules({ metrics, outcomes, restoreTests, config: { alarms: { metricSchedules }, homeRegion: 'DFW' } });
  return metrics;
}
const shownIn = (text: string) => [
  ...new Set([...text.matchAll(/last_success_seconds\{account="acme",schedule="([^"]+)"/g)].map(([, id]) => id)),
];

it('no more schedules than the limit have series, the late one has, and it is told how many have none', async () => {
  const text = await measured(2).text();
  expect(shownIn(text)).toHaveLength(2);
  expect(shownIn(text)[0]).toBe(late);
  expect(text).toMatch(/^strongroom_schedules_late 1$/m);
  expect(text).toMatch(/^strongroom_schedules_not_shown 1$/m);
  for (const region of ['DFW', 'IAD']) {
    expect(text).toContain(`last_restorable_seconds{account="acme",schedule="${late}",region="${region}"}`);
  }
  const tested = text.match(/^strongroom_schedule_restore_tested_seconds\{.*$/gm) ?? [];
  expect(tested).toEqual([expect.stringContaining(`{account="acme",schedule="${late}",region="IAD"} `)]);
  expect(Number(tested[0]?.split(' ')[1])).toBeGreaterThan(Date.now() / 1_000 - 600);
});

it('with a limit of 0 no schedule has a series, and those that are late are counted all the same', async () => {
  const text = await measured(0).text();
  expect(shownIn(text)).toEqual([]);
  expect(text).toMatch(/^strongroom_schedules_late 1$/m);
  expect(text).toMatch(/^strongroom_schedules_not_shown 3$/m);
});

it('one answer reads the schedules once, however many metrics it has of them', async () => {
  const statements: string[] = [];
  dataSource.logger.logQuery = (statement) => void statements.push(statement);
  await measured(2).text();
  expect(statements.filter((statement) => statement.includes('with recursive chain'))).toHaveLength(1);
});

it('what can not be read is left out and counted: nothing is told that would look as if all were well', async () => {
  const metrics = measured(2);
  expect(shownIn(await metrics.text())).toHaveLength(2);
  await dataSource.query('alter table schedule_outcome rename to out_of_reach');
  const text = await metrics.text();
  await dataSource.query('alter table out_of_reach rename to schedule_outcome');
  expect(shownIn(text)).toEqual([]);
  expect(text).not.toMatch(/^strongroom_schedules_late /m);
  expect(text).not.toMatch(/^strongroom_schedule_runs_total\{/m);
  expect(shownIn(await metrics.text())).toHaveLength(2);
  expect(await metrics.text()).toContain('strongroom_metric_faults_total{metric="strongroom_schedules_late"} 1');
});

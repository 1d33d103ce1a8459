import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type EventContext, type NewEvent, streamOf } from '@strongroom/contracts';
import { createDataSource, migrate } from '@strongroom/database';
import { copyDecider, copyId } from '@strongroom/domain';
import { execute, Ledger } from '@strongroom/ledger';
import { Views, viewTables } from '@strongroom/read-model';
import { createLogger, Jobs, Metrics, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { MissingCopies } from './missing-copies.js';

const ids = new RandomIds();
const context: EventContext = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const accountId = 'acme';

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  database = await createTestDatabase();
  const options = { url: database.url, applicationName: 'missing-copies-spec', entities: viewTables };
  dataSource = await createDataSource(options).initialize();
  await migrate(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

it('a copy that is owed and has no job gets one again in the lane of its region, and one that has ended does not', async () => {
  const ledger = new Ledger(dataSource);
  const views = new Views(dataSource, ledger);
  const jobs = new Jobs(dataSource);
  const metrics = new Metrics();
  const log = createLogger({ app: 'spec', level: 'silent' });
  const missing = new MissingCopies({ dataSource, ledger, views, jobs, metrics, log, plan: async () => {} });
  const [backupId, instanceId] = [ids.next(), ids.next()];
  const targets = ['IAD', 'ORD'].map((region) => {
    const request = { backupId, instanceId, region, sourceRegion: 'DFW', parentId: null, sizeBytes: 5_000_000_000 };
    return { ...request, copyId: copyId(backupId, region), sha256: 'a'.repeat(64) };
  });
  for (const request of targets) {
    const target = { id: request.copyId, accountId, instanceId, context };
    await execute({ ledger, ids }, copyDecider, target, { type: 'RequestCopy', request });
  }
  await views.catchUp(accountId);
  await missing.look();
  expect(await jobs.load('copy')).toEqual([]);

  await dataSource.query(`update copy_view set updated_at = updated_at - interval '1 hour'`);
  const ended = { id: copyId(backupId, 'ORD'), accountId, instanceId, context };
  await execute({ ledger, ids }, copyDecider, ended, { type: 'RequestCopyDeletion' });
  await execute({ ledger, ids }, copyDecider, ended, { type: 'ConfirmCopyDeletion' });
  expect(await ledger.readStream(streamOf('copy', ended.id))).toHaveLength(3);
  await missing.look();
  await missing.look();
  expect(await jobs.load('copy')).toMatchObject([{ lane: 'IAD', waiting: 1 }]);
  expect(await jobs.lease('copy', 'IAD', 'spec', 5, 1_000)).toMatchObject([{ id: copyId(backupId, 'IAD'), accountId }]);
  expect(await metrics.text()).toContain('strongroom_missing_work_total{kind="copy"} 1');
});

it('backups whose copies can not be planned hold up none that come after them, however many they are', async () => {
  const ledger = new Ledger(dataSource);
  const views = new Views(dataSource, ledger);
  const asked: string[] = [];
  const missing = new MissingCopies({
    ...{ dataSource, ledger, views, jobs: new Jobs(dataSource), metrics: new Metrics() },
    log: createLogger({ app: 'spec', level: 'silent' }),
    plan: async ({ data: { backupId } }) => {
      asked.push(backupId);
      if (asked.length === 1) throw new Error('this one can not be planned');
    },
  });
  const instanceId = ids.next();
  const made: string[] = [];
  for (let n = 0; n < 120; n += 1) {
    const backupId = ids.next();
    const common = { backupId, instanceId, scheduleId: null, type: 'full' as const, parentId: null, copyTo: ['IAD'] };
    const events: NewEvent[] = [
      {
        type: 'BackupRequested',
        data: {
          ...{ ...common, slotAt: null, trigger: 'request', name: 'by hand', description: null },
          datastore: { type: 'postgresql', version: '18' },
        },
      },
      {
        type: 'BackupCompleted',
        data: {
          ...{ ...common, attempt: 1, region: 'DFW', location: backupId, sizeBytes: 1, rawBytes: 1 },
          ...{ sha256: 'a'.repeat(64), startedAt: new Date().toISOString() },
        },
      },
    ];
    const request = { stream: streamOf('backup', backupId), expectedVersion: 0, accountId, instanceId, context };
    await ledger.append({
      ...{ ...request, claims: [], releases: [] },
      events: events.map((event) => ({ ...event, id: ids.next() })),
    });
    made.push(backupId);
  }
  await views.catchUp(accountId);
  await dataSource.query(`update backup_view set updated_at = updated_at - interval '1 hour'`);
  await expect(missing.look()).rejects.toThrow('can not be planned');
  for (let n = 0; n < 2; n += 1) await missing.look();
  expect(new Set(asked)).toEqual(new Set(made));
});

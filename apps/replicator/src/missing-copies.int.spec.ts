import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type EventContext, streamOf } from '@strongroom/contracts';
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

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type EventContext, type NewEvent, streamOf } from '@strongroom/contracts';
import { copyDecider, copyId } from '@strongroom/domain';
import { execute } from '@strongroom/ledger';
import { viewTables } from '@strongroom/read-model';
import { MissingJobs, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { SpecRuntime } from '../../../test/services/runtime-parts.js';
import { replicatorJobs } from './replicator-jobs.js';
import { replicatorParts } from './replicator-parts.js';

const ids = new RandomIds();
const context: EventContext = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const accountId = 'acme';

let database: TestDatabase;
let dataSource: DataSource;
let runtime: SpecRuntime;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({
    applicationName: 'missing-copies-spec',
    entities: viewTables,
  }));
  runtime = await SpecRuntime.create('DFW');
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
  await runtime.remove();
});

async function replicator() {
  const parts = await replicatorParts(runtime.partsOf('replicator', database.url, ['DFW']), dataSource);
  return { ...parts, missing: new MissingJobs(replicatorJobs, parts) };
}

it('a copy that is owed and has no job gets one again in the lane of its region, and one that has ended does not', async () => {
  const { ledger, views, jobs, metrics, missing } = await replicator();
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
  await dataSource.query('delete from job');
  await missing.putBackMissing();
  expect(await jobs.load('copy')).toEqual([]);

  await dataSource.query(`update copy_view set updated_at = updated_at - interval '1 hour'`);
  const ended = { id: copyId(backupId, 'ORD'), accountId, instanceId, context };
  await execute({ ledger, ids }, copyDecider, ended, { type: 'RequestCopyDeletion' });
  await execute({ ledger, ids }, copyDecider, ended, { type: 'ConfirmCopyDeletion' });
  expect(await ledger.readStream(streamOf('copy', ended.id))).toHaveLength(3);
  await missing.putBackMissing();
  await missing.putBackMissing();
  expect(await jobs.load('copy')).toMatchObject([{ lane: 'IAD', waiting: 1 }]);
  expect(await jobs.lease('copy', 'IAD', 'spec', 5, 1_000)).toMatchObject([{ id: copyId(backupId, 'IAD'), accountId }]);
  expect(await metrics.text()).toContain('strongroom_missing_work_total{kind="copy"} 1');
});

it('a plan that is missing is put back, however many there are', async () => {
  const { ledger, views, jobs, missing } = await replicator();
  const instanceId = ids.next();
  const made: string[] = [];
  for (let n = 0; n < 120; n += 1) {
    const backupId = ids.next();
    const common = { backupId, instanceId, scheduleId: null, type: 'full' as const, parentId: null, copyTo: ['IAD'] };
    const events: NewEvent[] = [
      {
        type: 'BackupRequested',
        data: {
          ...common,
          slotAt: null,
          trigger: 'request',
          name: 'by hand',
          description: null,
          datastore: { type: 'postgresql', version: '18' },
        },
      },
      {
        type: 'BackupCompleted',
        data: {
          ...common,
          attempt: 1,
          region: 'DFW',
          location: backupId,
          sizeBytes: 1,
          rawBytes: 1,
          sha256: 'a'.repeat(64),
          startedAt: new Date().toISOString(),
        },
      },
    ];
    const request = { stream: streamOf('backup', backupId), expectedVersion: 0, accountId, instanceId, context };
    await ledger.append({
      ...request,
      claims: [],
      releases: [],
      events: events.map((event) => ({ ...event, id: ids.next() })),
    });
    made.push(backupId);
  }
  await views.catchUp(accountId);
  await dataSource.query(`update backup_view set updated_at = updated_at - interval '1 hour'`);
  await dataSource.query('delete from job');
  for (let n = 0; n < 2; n += 1) await missing.putBackMissing();
  expect((await jobs.lease('plan', '', 'spec', 1_000, 60_000)).map(({ id }) => id).sort()).toEqual(made.sort());
});

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type NewEvent, streamOf } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { Backups, Runs, Views, viewTables } from './index.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let views: Views;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'views-spec', entities: viewTables }));
  ledger = new Ledger(dataSource);
  views = new Views(dataSource, ledger);
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

async function record(accountId: string, instanceId: string, stream: ReturnType<typeof streamOf>, events: NewEvent[]) {
  const outcome = await ledger.append({
    stream,
    expectedVersion: 0,
    accountId,
    instanceId,
    context,
    events: events.map((event) => ({ ...event, id: ids.next() })),
    claims: [],
    releases: [],
  });
  expect(outcome).toMatchObject({ outcome: 'appended' });
}

it('the pages show each run once, also two runs of one slot', async () => {
  const accountId = `account-${ids.next()}`;
  const [instanceId, scheduleId] = [ids.next(), ids.next()];
  const made: string[] = [];
  for (const day of ['01', '02', '02', '03']) {
    const id = ids.next();
    const slot = { scheduleId, instanceId, slotAt: `2026-11-${day}T02:00:00.000Z`, reason: 'busy' };
    await record(accountId, instanceId, streamOf('backup', id), [{ type: 'SlotSkipped', data: slot }]);
    made.push(id);
  }
  await views.catchUp(accountId);
  const runs = new Runs(dataSource);
  const found: string[] = [];
  for (let before: { slotAt: Date; id: string } | undefined; ; ) {
    const { items, more } = await runs.page(scheduleId, { limit: 1, before });
    found.push(...items.map(({ id }) => id));
    before = items.at(-1);
    if (!more) break;
  }
  expect(found.sort()).toEqual(made.sort());
});

it('a backup’s place in the ledger says which is newest, no matter what a clock said, also for those that an older version folded', async () => {
  const accountId = `account-${ids.next()}`;
  const [instanceId, scheduleId] = [ids.next(), ids.next()];
  const made: string[] = [];
  for (let n = 0; n < 2; n += 1) {
    const backupId = ids.next();
    const common = { backupId, instanceId, scheduleId, type: 'full' as const, parentId: null, copyTo: [] };
    const datastore = { type: 'postgresql' as const, version: '18' };
    const request = {
      ...common,
      slotAt: null,
      trigger: 'run-now' as const,
      name: `${n}`,
      description: null,
      datastore,
    };
    const completion = {
      ...common,
      attempt: 1,
      region: 'DFW',
      location: backupId,
      sizeBytes: 1,
      rawBytes: 1,
      sha256: 'a'.repeat(64),
      startedAt: new Date().toISOString(),
    };
    await record(accountId, instanceId, streamOf('backup', backupId), [
      { type: 'BackupRequested', data: request },
      { type: 'BackupCompleted', data: completion },
    ]);
    made.unshift(backupId);
  }
  await views.catchUp(accountId);
  // The clock was ahead while the older backup was made.
  await dataSource.query(
    `update backup_view set created_at = created_at + interval '3 days', ended_at = ended_at + interval '3 days' where id = $1`,
    [made[1]],
  );
  const backups = new Backups(dataSource);
  expect((await backups.newestCompleted(instanceId))?.id).toBe(made[0]);
  expect((await backups.newestCompletedOf(dataSource.manager, [instanceId])).get(instanceId)?.id).toBe(made[0]);
  expect((await backups.heldOf(instanceId)).map(({ id }) => id)).toEqual([...made].reverse());
  const rowOf = async (id: string | undefined) =>
    (await dataSource.query('select to_jsonb(b) as row from backup_view b where id = $1', [id]))[0].row;
  const { position, ...withoutPlace } = await rowOf(made[0]);
  await dataSource.query('delete from backup_view where id = $1', [made[0]]);
  await dataSource.query('insert into backup_view select (jsonb_populate_record(null::backup_view, $1)).*', [
    withoutPlace,
  ]);
  expect((await rowOf(made[0])).position).toBe(position);
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { migrations } from '@strongroom/database';
import { copyId } from '@strongroom/domain';
import { Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { created, requested, writeEvent } from '../fixtures/written-events.js';
import { ScheduleOutcomes, Views, viewTables } from './index.js';

const ids = new RandomIds();
const dayMs = 86_400_000;
const lateMs = 1.25 * dayMs;
const digest = 'a'.repeat(64);

let database: TestDatabase;
let dataSource: DataSource;
let views: Views;
let outcomes: ScheduleOutcomes;
let accountId: string;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({
    applicationName: 'schedule-outcomes-spec',
    entities: viewTables,
  }));
  views = new Views(dataSource, new Ledger(dataSource));
  outcomes = new ScheduleOutcomes(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  accountId = `account-${ids.next()}`;
  // Each case has the deployment for itself.
  await dataSource.query('delete from schedule_view');
});

type Definition = Partial<ReturnType<typeof created>>;

async function schedule(definition: Definition = {}): Promise<string> {
  const id = ids.next();
  await writeEvent(dataSource, accountId, 'schedule', id, 'ScheduleCreated', { ...created(id), ...definition });
  await views.catchUp(accountId);
  return id;
}

async function edit(scheduleId: string, definition: Definition): Promise<void> {
  const data = { ...created(scheduleId), ...definition };
  await writeEvent(dataSource, accountId, 'schedule', scheduleId, 'ScheduleUpdated', data);
  await views.catchUp(accountId);
}

interface Made {
  copyTo?: string[];
  parentId?: string;
}

async function begin(scheduleId: string, { copyTo = [], parentId }: Made = {}): Promise<string> {
  const id = ids.next();
  const type = parentId === undefined ? 'full' : 'incremental';
  const data = { ...requested(id), scheduleId, type, parentId: parentId ?? null, copyTo };
  await writeEvent(dataSource, accountId, 'backup', id, 'BackupRequested', data);
  return id;
}

async function complete(scheduleId: string, made: Made = {}): Promise<string> {
  const backupId = await writeCompleted(scheduleId, made);
  await views.catchUp(accountId);
  return backupId;
}

async function writeCompleted(scheduleId: string, made: Made = {}): Promise<string> {
  const backupId = await begin(scheduleId, made);
  const { copyTo = [], parentId } = made;
  await writeEvent(dataSource, accountId, 'backup', backupId, 'BackupCompleted', {
    ...{ backupId, instanceId: ids.next(), scheduleId, attempt: 1, region: 'DFW', location: 'place', copyTo },
    ...{ type: parentId === undefined ? 'full' : 'incremental', parentId: parentId ?? null },
    ...{ sizeBytes: 1, rawBytes: 1, sha256: digest, startedAt: new Date().toISOString() },
  });
  return backupId;
}

async function fail(scheduleId: string): Promise<void> {
  const backupId = await begin(scheduleId);
  const data = { backupId, instanceId: ids.next(), scheduleId, attempt: 1, code: 'server-unreachable', reason: 'away' };
  await writeEvent(dataSource, accountId, 'backup', backupId, 'BackupFailed', data);
  await views.catchUp(accountId);
}

async function pass(scheduleId: string, type: 'SlotSkipped' | 'SlotMissed'): Promise<void> {
  const data = { scheduleId, instanceId: ids.next(), slotAt: '2026-11-02T14:30:00.000Z', reason: 'busy' };
  await writeEvent(dataSource, accountId, 'backup', ids.next(), type, data);
  await views.catchUp(accountId);
}

async function copy(backupId: string, region: string, type: 'CopyCompleted' | 'CopyLost' = 'CopyCompleted') {
  const id = copyId(backupId, region);
  const of = { copyId: id, backupId, instanceId: ids.next(), region, sizeBytes: 1 };
  const write = (event: string, data: object) =>
    writeEvent(dataSource, accountId, 'copy', id, event, { ...of, ...data });
  if (type === 'CopyLost') await write(type, { code: 'altered', reason: 'altered' });
  else {
    await write('CopyRequested', { sourceRegion: 'DFW', parentId: null, sha256: digest });
    const startedAt = new Date().toISOString();
    await write(type, { attempt: 1, location: 'place', sha256: digest, startedAt });
  }
  await views.catchUp(accountId);
}

/** Puts what the views say of a schedule back in time. */
async function age(scheduleId: string, days: number): Promise<void> {
  await dataSource.query(
    `update schedule_outcome set active_since = active_since - make_interval(days => $2),
       last_success_at = last_success_at - make_interval(days => $2) where schedule_id = $1`,
    [scheduleId, days],
  );
}

const shown = async (most = 10) => (await outcomes.first(most, lateMs)).map(({ scheduleId }) => scheduleId);
async function outcomeOf(scheduleId: string) {
  const found = (await outcomes.first(10, lateMs)).find((each) => each.scheduleId === scheduleId);
  if (!found) throw new Error(`nothing is told of schedule ${scheduleId}`);
  return found;
}
async function endOf(table: 'backup_view' | 'schedule_view', id: string): Promise<Date> {
  const column = table === 'backup_view' ? 'ended_at' : 'created_at';
  const [row] = await dataSource.query<{ at: Date }[]>(`select ${column} as at from ${table} where id = $1`, [id]);
  if (!row) throw new Error(`there is no ${id}`);
  return row.at;
}

describe('the outcomes of a schedule', () => {
  it('begin with its creation, and are then those of its events: only a completed backup is a success', async () => {
    const id = await schedule();
    const bornAt = await endOf('schedule_view', id);
    expect(await outcomeOf(id)).toMatchObject({ accountId, lastSuccessAt: bornAt, completed: 0, failed: 0 });
    await fail(id);
    await pass(id, 'SlotSkipped');
    await pass(id, 'SlotMissed');
    expect(await outcomeOf(id)).toMatchObject({
      lastSuccessAt: bornAt,
      completed: 0,
      failed: 1,
      skipped: 1,
      missed: 1,
    });
    const backupId = await complete(id);
    const lastSuccessAt = await endOf('backup_view', backupId);
    await fail(id);
    expect(await outcomeOf(id)).toMatchObject({ lastSuccessAt, completed: 1, failed: 2, skipped: 1, missed: 1 });
  });

  it('count each backup once, also when many of several schedules end in one fold', async () => {
    const [busy, calm] = [await schedule(), await schedule()];
    const open = await begin(busy);
    await views.catchUp(accountId);
    for (let n = 0; n < 3; n += 1) await writeCompleted(busy);
    await writeCompleted(calm);
    const data = { ...{ backupId: open, instanceId: ids.next(), scheduleId: busy }, ...{ attempt: 1, reason: 'away' } };
    await writeEvent(dataSource, accountId, 'backup', open, 'BackupFailed', { ...data, code: 'server-unreachable' });
    await views.catchUp(accountId);
    // What is said of backups that have ended changes nothing.
    await dataSource.query('update backup_view set updated_at = now()');
    expect(await outcomeOf(busy)).toMatchObject({ completed: 3, failed: 1 });
    expect(await outcomeOf(calm)).toMatchObject({ completed: 1, failed: 0 });
  });

  it('stay when a backup is deleted, brought back, or folded again', async () => {
    const id = await schedule();
    const backupId = await complete(id);
    const before = await outcomeOf(id);
    const of = { backupId, instanceId: ids.next(), scheduleId: id };
    const mark = { ...of, trigger: 'request', rootId: backupId, purgeAt: '2100-01-01T00:00:00.000Z' };
    const write = (type: string, data: object) => writeEvent(dataSource, accountId, 'backup', backupId, type, data);
    await write('BackupDeletionMarked', mark);
    await views.catchUp(accountId);
    await write('BackupDeletionReverted', { ...of, rootId: backupId });
    await views.catchUp(accountId);
    await dataSource.query('update view_head set position = 0 where account_id = $1', [accountId]);
    await views.catchUp(accountId);
    expect(await outcomeOf(id)).toEqual(before);
  });

  it('are told of no paused and of no deleted schedule; a resumed one, or one with another time, is owed from then on', async () => {
    const id = await schedule();
    await age(id, 3);
    expect(await outcomes.late(lateMs)).toBe(1);
    await edit(id, { paused: true });
    expect(await shown()).toEqual([]);
    expect(await outcomes.late(lateMs)).toBe(0);
    await edit(id, { paused: false });
    expect(await shown()).toEqual([id]);
    expect(await outcomes.late(lateMs)).toBe(0);
    await age(id, 3);
    await edit(id, { fullBackupRetention: 3 });
    expect(await outcomes.late(lateMs)).toBe(1);
    await edit(id, { hour: 23 });
    expect(await outcomes.late(lateMs)).toBe(0);
    await writeEvent(dataSource, accountId, 'schedule', id, 'ScheduleDeleted', {
      scheduleId: id,
      instanceId: ids.next(),
    });
    await views.catchUp(accountId);
    expect([await shown(), await outcomes.active()]).toEqual([[], 0]);
  });

  it('are told of the late ones first, the latest before the others, and of the same others each time', async () => {
    const made: string[] = [];
    for (const _ of Array.from({ length: 5 })) made.push(await schedule());
    const [first = '', second = '', third = '', fourth = '', fifth = ''] = made;
    expect(await shown(3)).toEqual([first, second, third]);
    await complete(fourth);
    await age(fourth, 2);
    await age(fifth, 3);
    expect(await shown(4)).toEqual([fifth, fourth, first, second]);
    expect(await shown(1)).toEqual([fifth]);
    expect(await shown(0)).toEqual([]);
    await complete(fifth);
    expect(await shown(3)).toEqual([fourth, first, second]);
    expect(await outcomes.active()).toBe(5);
  });

  it('are put right by the next success when a clock was ahead', async () => {
    const id = await schedule();
    await complete(id);
    await age(id, -400);
    const next = await complete(id);
    expect((await outcomeOf(id)).lastSuccessAt).toEqual(await endOf('backup_view', next));
  });

  it('are there for schedules that are older than the table', async () => {
    const id = await schedule();
    const backupId = await complete(id);
    const [paused, other] = [await schedule({ paused: true }), await schedule()];
    await dataSource.query('delete from schedule_outcome');
    // A backup that ends before the migration has come to its schedule is not lost.
    await fail(other);
    const Backfill = migrations.find(({ name }) => name.startsWith('OutcomesOfOlderSchedules'));
    if (!Backfill) throw new Error('there is no such migration');
    const run = dataSource.createQueryRunner();
    await new Backfill().up(run);
    await run.release();
    expect(await outcomeOf(id)).toMatchObject({ lastSuccessAt: await endOf('backup_view', backupId) });
    expect(await outcomeOf(other)).toMatchObject({ failed: 1 });
    expect(await shown()).not.toContain(paused);
  });
});

describe('what a region can give back of a schedule', () => {
  const restorable = async (scheduleId: string) =>
    new Map(
      (await outcomes.restorable([scheduleId], 'DFW')).map(({ region, lastRestorableAt }) => [
        region,
        lastRestorableAt,
      ]),
    );

  it('is its newest backup that is whole there with all that it is built on, and goes back when that is lost', async () => {
    const id = await schedule({ copyTo: ['IAD'] });
    const bornAt = await endOf('schedule_view', id);
    expect(await restorable(id)).toEqual(new Map(Object.entries({ DFW: bornAt, IAD: bornAt })));
    const full = await complete(id, { copyTo: ['IAD'] });
    const child = await complete(id, { copyTo: ['IAD'], parentId: full });
    const [ofFull, ofChild] = [await endOf('backup_view', full), await endOf('backup_view', child)];
    await copy(child, 'IAD');
    expect(await restorable(id)).toEqual(new Map(Object.entries({ DFW: ofChild, IAD: bornAt })));
    await copy(full, 'IAD');
    expect(await restorable(id)).toEqual(new Map(Object.entries({ DFW: ofChild, IAD: ofChild })));
    await copy(child, 'IAD', 'CopyLost');
    expect((await restorable(id)).get('IAD')).toEqual(ofFull);
    await fail(id);
    expect((await restorable(id)).get('DFW')).toEqual(ofChild);
  });

  it('is nothing that is built on a backup that is deleted', async () => {
    const id = await schedule();
    const full = await complete(id);
    await complete(id, { parentId: full });
    const data = { backupId: full, instanceId: ids.next(), scheduleId: id, trigger: 'request', rootId: full };
    const purgeAt = '2100-01-01T00:00:00.000Z';
    await writeEvent(dataSource, accountId, 'backup', full, 'BackupDeletionMarked', { ...data, purgeAt });
    await views.catchUp(accountId);
    expect((await restorable(id)).get('DFW')).toEqual(await endOf('schedule_view', id));
  });
});

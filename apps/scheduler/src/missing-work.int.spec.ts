import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventData, type NewEvent, streamOf } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import { Views } from '@strongroom/read-model';
import { type JobKind, type Metrics, MissingJobs, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { failFor } from '../../../test/services/failing-rows.js';
import { type OwnLedger, openOwnLedger } from '../../../test/services/own-ledger.js';
import { SpecRuntime } from '../../../test/services/runtime-parts.js';
import { addEvent, removeNewest } from '../../../test/services/unreadable-event.js';
import { schedulerJobs } from './scheduler-jobs.js';
import { type SchedulerParts, schedulerParts } from './scheduler-parts.js';
import { MissingTimers } from './slots/missing-timers.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const accountId = 'acme';
const dayMs = 86_400_000;

let own: OwnLedger;
let dataSource: DataSource;
let ledger: Ledger;
let views: Views;
let metrics: Metrics;
let runtime: SpecRuntime;
let missingJobs: { putBackMissing(): Promise<void> };
let missingTimers: MissingTimers;
let parts: SchedulerParts;

beforeAll(async () => {
  own = await openOwnLedger();
  ({ dataSource, ledger } = own);
  runtime = await SpecRuntime.create('DFW');
  views = new Views(dataSource, ledger);
});
afterAll(async () => {
  await own.close();
  await runtime.remove();
});
beforeEach(async () => {
  await dataSource.query(`
    alter table ledger_event disable trigger user;
    delete from ledger_event;
    alter table ledger_event enable trigger user;
    delete from view_head;`);
  for (const table of ['job', 'slot_timer', 'backup_view', 'schedule_view', 'instance_view'])
    await dataSource.query(`delete from ${table}`);
  parts = await schedulerParts(runtime.partsOf('scheduler', own.database.url, ['DFW']), dataSource);
  metrics = parts.metrics;
  missingJobs = new MissingJobs(schedulerJobs, parts);
  missingTimers = new MissingTimers(parts);
});

async function record(stream: ReturnType<typeof streamOf>, instanceId: string, events: NewEvent[]): Promise<void> {
  const outcome = await ledger.append({
    stream,
    expectedVersion: (await ledger.readStream(stream)).length,
    accountId,
    instanceId,
    context,
    events: events.map((event) => ({ ...event, id: ids.next() })),
    claims: [],
    releases: [],
  });
  expect(outcome).toMatchObject({ outcome: 'appended' });
}

async function backup(fields: Partial<EventData<'BackupRequested'>> = {}) {
  const [backupId, instanceId] = [ids.next(), ids.next()];
  const data: EventData<'BackupRequested'> = {
    backupId,
    instanceId,
    scheduleId: null,
    slotAt: null,
    trigger: 'request',
    type: 'full',
    parentId: null,
    name: 'by hand',
    description: null,
    datastore: { type: 'postgresql', version: '18' },
    copyTo: [],
    ...fields,
  };
  await record(streamOf('backup', backupId), instanceId, [{ type: 'BackupRequested', data }]);
  const tell = (...events: NewEvent[]) => record(streamOf('backup', backupId), instanceId, events);
  const fail = (): NewEvent => ({
    type: 'BackupFailed',
    data: { backupId, instanceId, scheduleId: null, attempt: 1, code: 'server-unreachable', reason: 'down' },
  });
  const remove = (trigger: 'request' | 'cascade'): NewEvent => ({
    type: 'BackupDeletionRequested',
    data: { backupId, instanceId, scheduleId: null, trigger },
  });
  return { backupId, tell, fail, remove };
}

/** Lets the events be an hour older. Nobody can change them by the way that the ledger is used. */
async function ageEvents(): Promise<void> {
  await dataSource.transaction(async (manager) => {
    await manager.query('set local session_replication_role = replica');
    await manager.query('grant update on ledger_event to current_user');
    await manager.query(`update ledger_event set at = at - interval '1 hour'`);
    await manager.query('revoke update on ledger_event from current_user');
  });
}

/** Loses every job, and lets the ledger and the views look as if nothing had happened for an hour. */
async function anHourLater(): Promise<void> {
  await ageEvents();
  await dataSource.query('delete from job');
  await views.catchUp(accountId);
  for (const view of ['backup_view', 'schedule_view', 'instance_view']) {
    await dataSource.query(`update ${view} set updated_at = updated_at - interval '1 hour'`);
  }
}

const jobs = (kind: string): Promise<{ id: string }[]> =>
  dataSource.query('select id from job where kind = $1 order by id', [kind]);

describe('a job that is missing', () => {
  it('of a backup that has not ended is put back, once, and of one that has ended it is not', async () => {
    const { backupId } = await backup();
    const ended = await backup();
    await ended.tell(ended.fail());
    await anHourLater();
    await missingJobs.putBackMissing();
    await missingJobs.putBackMissing();
    expect(await jobs('backup')).toEqual([{ id: backupId }]);
    expect(await metrics.text()).toContain('strongroom_missing_work_total{kind="backup"} 1');
  });

  it('of a server that is to be built is put back, and of one that was given up it is not', async () => {
    const [building, failed, backupId] = [ids.next(), ids.next(), ids.next()];
    for (const instanceId of [building, failed]) {
      const data = { instanceId, name: 'twin', datastore: { type: 'postgresql' as const, version: '18' }, backupId };
      await record(streamOf('instance', instanceId), instanceId, [{ type: 'InstanceBuildRequested', data }]);
    }
    const data = { instanceId: failed, backupId, code: 'server-did-not-start', reason: 'down' };
    await record(streamOf('instance', failed), failed, [{ type: 'InstanceBuildFailed', data }]);
    await anHourLater();
    await missingJobs.putBackMissing();
    expect(await jobs('instance')).toEqual([{ id: building }]);
  });

  it('is put back though the view was written by a clock that was ahead', async () => {
    const { backupId } = await backup();
    await views.catchUp(accountId);
    await dataSource.query(`update backup_view set updated_at = updated_at + interval '3 days'`);
    await missingJobs.putBackMissing();
    expect(await jobs('backup')).toEqual([{ id: backupId }]);
  });

  it('is not put back while the feed may still bring the news, nor for what has ended and the view has not heard of', async () => {
    const ended = await backup();
    await anHourLater();
    await ended.tell(ended.fail());
    await backup();
    await dataSource.query('delete from job');
    await missingJobs.putBackMissing();
    expect(await jobs('backup')).toEqual([]);
  });

  it('is put back though another account has an event that can not be read', async () => {
    const { backupId } = await backup();
    await anHourLater();
    const unreadable = ids.next();
    await dataSource.query(
      `insert into backup_view select (jsonb_populate_record(b, jsonb_build_object('id', $1::uuid, 'account_id', 'broken'))).*
       from backup_view b where id = $2`,
      [unreadable, backupId],
    );
    await dataSource.query(
      `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
       select $1, $2, 1, aggregate, 'BackupStarted', 'broken', instance_id, at, '{}', context
       from ledger_event where stream = $3 and version = 1`,
      [ids.next(), streamOf('backup', unreadable), streamOf('backup', backupId)],
    );
    await missingJobs.putBackMissing();
    expect((await jobs('backup')).map(({ id }) => id)).toContain(backupId);
  });

  it('is put back though another kind can not be looked at, which is told', async () => {
    const { backupId } = await backup();
    await anHourLater();
    const broken: JobKind<SchedulerParts> = {
      kind: 'broken',
      concurrency: () => 1,
      missing: () => Promise.reject(new Error('no such view')),
      perform: async () => 'finished',
    };
    const looking = new MissingJobs([broken, ...schedulerJobs], parts).putBackMissing();
    await expect(looking).rejects.toMatchObject({ errors: [new Error('no such view')] });
    expect(await jobs('backup')).toEqual([{ id: backupId }]);
  });

  it('of a deletion is put back for the backup that was asked about, not for what goes with it', async () => {
    const parent = await backup();
    await parent.tell(parent.fail());
    const child = await backup({ type: 'incremental', parentId: parent.backupId });
    await child.tell(child.fail(), child.remove('cascade'));
    await parent.tell(parent.remove('request'));
    await anHourLater();
    await missingJobs.putBackMissing();
    expect(await jobs('deletion')).toEqual([{ id: parent.backupId }]);
  });
});

describe('a timer that is missing, or has missed a change', () => {
  const definition = { dayOfWeek: 0, hour: 2, minute: 0, fullBackupRetention: 2, copyTo: [], paused: false };
  const timers = (): Promise<{ schedule_id: string; next_slot_at: Date }[]> =>
    dataSource.query('select schedule_id, next_slot_at from slot_timer');

  it('of an active schedule is set again, to the slot after the last that was decided; of a deleted one it is not', async () => {
    const [scheduleId, instanceId, deletedId] = [ids.next(), ids.next(), ids.next()];
    for (const id of [scheduleId, deletedId]) {
      const data = { scheduleId: id, instanceId, ...definition };
      await record(streamOf('schedule', id), instanceId, [{ type: 'ScheduleCreated', data }]);
    }
    await anHourLater();
    const deletion: NewEvent = { type: 'ScheduleDeleted', data: { scheduleId: deletedId, instanceId } };
    await record(streamOf('schedule', deletedId), instanceId, [deletion]);
    await missingTimers.putBackMissing();
    const [first, ...others] = await timers();
    expect(others).toEqual([]);
    expect(first).toMatchObject({ schedule_id: scheduleId });
    expect(first?.next_slot_at.getUTCHours()).toBe(2);

    const slotAt = new Date((first?.next_slot_at.getTime() ?? 0) + 3 * dayMs);
    const skipped = { scheduleId, instanceId, slotAt: slotAt.toISOString(), reason: 'busy' };
    await record(streamOf('backup', ids.next()), instanceId, [{ type: 'SlotSkipped', data: skipped }]);
    await views.catchUp(accountId);
    await dataSource.query('delete from slot_timer');
    // The round has come to its end and begins again.
    await missingTimers.putBackMissing();
    await missingTimers.putBackMissing();
    expect(await timers()).toEqual([{ schedule_id: scheduleId, next_slot_at: new Date(slotAt.getTime() + dayMs) }]);
  });

  it('is set though the history of another schedule can not be read, which is set aside', async () => {
    const [unreadable, scheduleId, instanceId] = [ids.next(), ids.next(), ids.next()];
    for (const id of [unreadable, scheduleId]) {
      const data = { scheduleId: id, instanceId, ...definition };
      await record(streamOf('schedule', id), instanceId, [{ type: 'ScheduleCreated', data }]);
    }
    await anHourLater();
    await addEvent(dataSource, streamOf('schedule', unreadable), { type: 'ScheduleUpdated' });
    await ageEvents();
    await missingTimers.putBackMissing();
    expect(await timers()).toMatchObject([{ schedule_id: scheduleId }]);
    expect(await metrics.text()).toContain('strongroom_set_aside{kind="schedule"} 1');
    await removeNewest(dataSource, streamOf('schedule', unreadable));
    await missingTimers.putBackMissing();
    await missingTimers.putBackMissing();
    expect(await timers()).toHaveLength(2);
    await dataSource.query('delete from set_aside');
  });

  it('is set though a statement about another one always takes too long', async () => {
    const [slow, scheduleId, instanceId] = [ids.next(), ids.next(), ids.next()];
    for (const id of [slow, scheduleId]) {
      const data = { scheduleId: id, instanceId, ...definition };
      await record(streamOf('schedule', id), instanceId, [{ type: 'ScheduleCreated', data }]);
    }
    await anHourLater();
    const mend = await failFor(dataSource, { table: 'slot_timer', column: 'schedule_id', value: slow, code: '57014' });
    try {
      await missingTimers.putBackMissing();
    } finally {
      await mend();
    }
    expect((await timers()).map(({ schedule_id }) => schedule_id)).toContain(scheduleId);
    await dataSource.query('delete from set_aside');
  });

  it('is set though the views of its account can not be folded', async () => {
    const [scheduleId, instanceId] = [ids.next(), ids.next()];
    const data = { scheduleId, instanceId, ...definition };
    await record(streamOf('schedule', scheduleId), instanceId, [{ type: 'ScheduleCreated', data }]);
    await ageEvents();
    const mend = await failFor(dataSource, {
      ...{ table: 'view_head', column: 'account_id', value: accountId, code: '23514' },
    });
    try {
      await missingTimers.putBackMissing();
    } finally {
      await mend();
    }
    expect((await timers()).map(({ schedule_id }) => schedule_id)).toContain(scheduleId);
    await dataSource.query('delete from set_aside');
  });

  it('rings for the slot of a change that it has not heard of', async () => {
    const [scheduleId, instanceId] = [ids.next(), ids.next()];
    const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000).getUTCHours();
    const data = { scheduleId, instanceId, ...definition, hour: inHours(20) };
    await record(streamOf('schedule', scheduleId), instanceId, [{ type: 'ScheduleCreated', data }]);
    await anHourLater();
    await missingTimers.putBackMissing();
    await missingTimers.putBackMissing();
    const [created] = await timers();
    const change = { ...data, hour: inHours(4) };
    await record(streamOf('schedule', scheduleId), instanceId, [{ type: 'ScheduleUpdated', data: change }]);
    await anHourLater();
    await missingTimers.putBackMissing();
    await missingTimers.putBackMissing();
    const [changed] = await timers();
    expect(created?.next_slot_at.getTime()).toBe((changed?.next_slot_at.getTime() ?? 0) + 16 * 3_600_000);
    expect(await metrics.text()).toContain('strongroom_missing_work_total{kind="timer"} 2');
  });
});

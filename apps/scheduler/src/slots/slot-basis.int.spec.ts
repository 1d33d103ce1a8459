import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type NewEvent, type RecordedEvent, type StreamName, streamOf } from '@strongroom/contracts';
import { scheduledBackupId } from '@strongroom/domain';
import { Ledger } from '@strongroom/ledger';
import { Views } from '@strongroom/read-model';
import { createLogger, RandomIds } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { type OwnLedger, openOwnLedger } from '../../../../test/services/own-ledger.js';
import { DueClock } from './due-clock.js';
import { SlotDispatcher } from './slot-dispatcher.js';
import { claimDue, setTimer } from './slot-timers.js';

const ids = new RandomIds();
const log = createLogger({ app: 'spec', level: 'silent' });
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const dayMs = 86_400_000;
const endpoint = { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'disable' as const };

/** A clock turned by hand. */
class HandTurnedClock extends DueClock {
  at = new Date();

  now(): Promise<Date> {
    return Promise.resolve(this.at);
  }
}

/** Counts the streams that are read together. */
class CountingLedger extends Ledger {
  streamsRead = 0;

  override async readEach(manager: EntityManager, streams: readonly StreamName[]) {
    this.streamsRead += streams.length;
    return super.readEach(manager, streams);
  }
}

let own: OwnLedger;
let dataSource: DataSource;
let ledger: CountingLedger;
const clock = new HandTurnedClock();
beforeAll(async () => {
  own = await openOwnLedger();
  ({ dataSource } = own);
  ledger = new CountingLedger(dataSource);
});
afterAll(() => own.close());
beforeEach(() => dataSource.query('delete from slot_timer; delete from set_aside'));

const dispatcher = () =>
  new SlotDispatcher(dataSource, ledger, new Views(dataSource, ledger), ids, clock, log, dayMs / 2);
const dayAfter = (slotAt: Date, days = 1) => new Date(slotAt.getTime() + days * dayMs);

async function record(stream: StreamName, instanceId: string, event: NewEvent): Promise<RecordedEvent> {
  const { length: expectedVersion } = await ledger.readStream(stream);
  const events = [{ ...event, id: ids.next() }];
  await ledger.append({
    ...{ stream, expectedVersion, accountId: 'acme', instanceId, context, events },
    claims: [],
    releases: [],
  });
  return (await ledger.readStream(stream)).at(-1) as RecordedEvent;
}

/** A schedule with a full backup each day, and its timer. */
async function schedule() {
  const [instanceId, scheduleId] = [ids.next(), ids.next()];
  const instance = streamOf('instance', instanceId);
  await record(instance, instanceId, {
    type: 'InstanceRegistered',
    data: { instanceId, name: 'orders', datastore: { type: 'postgresql', version: '18' }, endpoint },
  });
  const definition = { dayOfWeek: 7, hour: 2, minute: 0, fullBackupRetention: 2, copyTo: ['IAD'], paused: false };
  const stream = streamOf('schedule', scheduleId);
  const created = await record(stream, instanceId, {
    type: 'ScheduleCreated',
    data: { scheduleId, instanceId, ...definition },
  });
  await setTimer(dataSource.manager, created as RecordedEvent<'ScheduleCreated'>);
  const slotAt = new Date(created.at);
  slotAt.setUTCHours(2, 0, 0, 0);
  if (slotAt <= new Date(created.at)) slotAt.setUTCDate(slotAt.getUTCDate() + 1);
  const update = (changes: Partial<typeof definition>) =>
    record(stream, instanceId, {
      type: 'ScheduleUpdated',
      data: { scheduleId, instanceId, ...definition, ...changes },
    });
  return { scheduleId, instanceId, schedule: stream, instance, slotAt, update };
}
type Scheduled = Awaited<ReturnType<typeof schedule>>;

/** Schedules whose first slot is decided. Their backups have ended. */
async function decidedOnce(count: number): Promise<[Scheduled, ...Scheduled[]]> {
  const first = await schedule();
  const made: [Scheduled, ...Scheduled[]] = [first];
  while (made.length < count) made.push(await schedule());
  clock.at = new Date(Math.max(...made.map(({ slotAt }) => slotAt.getTime())));
  expect(await dispatcher().decideDue()).toMatchObject({ fired: count });
  await endAll();
  return made;
}

/** No backup is running any more. */
const endAll = () => dataSource.query(`delete from ledger_claim where kind = 'running-backup-of-instance'`);
const timersWith = async (basis: 'null' | 'not null') => {
  const rows: unknown[] = await dataSource.query(`select from slot_timer where basis is ${basis}`);
  return rows.length;
};
const outcomeOf = async (scheduleId: string, slotAt: Date) =>
  (await ledger.readStream(streamOf('backup', scheduledBackupId(scheduleId, slotAt)))).map(({ type, data }) => ({
    type,
    data,
  }));

/** How many streams were read meanwhile. */
async function streamsReadBy(work: () => Promise<unknown>): Promise<number> {
  const before = ledger.streamsRead;
  await work();
  return ledger.streamsRead - before;
}

describe('the second slot of a schedule', () => {
  it('is fired as the first was, and no stream is read for it', async () => {
    const [{ scheduleId, instanceId, slotAt }] = await decidedOnce(1);
    clock.at = dayAfter(slotAt);
    const read = await streamsReadBy(async () => expect(await dispatcher().decideDue()).toMatchObject({ fired: 1 }));
    expect(read).toBe(0);
    const [[first], [second]] = [await outcomeOf(scheduleId, slotAt), await outcomeOf(scheduleId, dayAfter(slotAt))];
    const own = { backupId: expect.any(String), slotAt: dayAfter(slotAt).toISOString(), name: expect.any(String) };
    expect(second).toEqual({ type: 'BackupRequested', data: { ...first?.data, ...own } });
    expect(await ledger.claimedOf(dataSource.manager, 'running-backup-of-instance', [instanceId])).toEqual(
      new Map([[instanceId, streamOf('backup', scheduledBackupId(scheduleId, dayAfter(slotAt)))]]),
    );
  });

  it('goes by a change of the schedule or its instance that no feed has told of', async () => {
    const [paused, renamed, other] = await decidedOnce(3);
    if (!renamed || !other) throw new Error('there are three');
    await paused.update({ paused: true });
    const { instanceId } = renamed;
    await record(renamed.instance, instanceId, {
      type: 'InstanceChanged',
      data: {
        ...{ instanceId, name: 'invoices', credentialId: null },
        endpoint: { ...endpoint, caCertificate: null, clientCertificate: null },
      },
    });
    clock.at = dayAfter(paused.slotAt);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 2, skipped: 1, missed: 0 });
    expect(await outcomeOf(paused.scheduleId, clock.at)).toMatchObject([{ type: 'SlotSkipped' }]);
    expect(await outcomeOf(renamed.scheduleId, clock.at)).toMatchObject([
      { data: { name: expect.stringMatching(/^invoices-/) } },
    ]);
    expect(await outcomeOf(other.scheduleId, clock.at)).toMatchObject([
      { data: { name: expect.stringMatching(/^orders-/) } },
    ]);
    // What was read is kept in place of what was old.
    await endAll();
    clock.at = dayAfter(paused.slotAt, 2);
    expect(await streamsReadBy(() => dispatcher().decideDue())).toBe(0);
  });

  it('is not fired when the schedule is deleted or its instance forgotten, and the timer goes', async () => {
    const [deleted, forgotten] = await decidedOnce(2);
    if (!forgotten) throw new Error('there are two');
    await record(deleted.schedule, deleted.instanceId, {
      type: 'ScheduleDeleted',
      data: { scheduleId: deleted.scheduleId, instanceId: deleted.instanceId },
    });
    await record(forgotten.instance, forgotten.instanceId, {
      type: 'InstanceForgotten',
      data: { instanceId: forgotten.instanceId },
    });
    clock.at = dayAfter(deleted.slotAt);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 0, skipped: 0, missed: 0 });
    expect(await dataSource.query('select from slot_timer')).toEqual([]);
    expect(await outcomeOf(forgotten.scheduleId, clock.at)).toEqual([]);
  });

  it('of a schedule that was deleted does not skip the slot of the one that was made in its place', async () => {
    const [old] = await decidedOnce(1);
    const { instanceId } = old;
    await record(old.schedule, instanceId, {
      type: 'ScheduleDeleted',
      data: { scheduleId: old.scheduleId, instanceId },
    });
    const scheduleId = ids.next();
    const definition = { dayOfWeek: 7, hour: 2, minute: 0, fullBackupRetention: 2, copyTo: [], paused: false };
    const created = await record(streamOf('schedule', scheduleId), instanceId, {
      type: 'ScheduleCreated',
      data: { scheduleId, instanceId, ...definition },
    });
    await setTimer(dataSource.manager, created as RecordedEvent<'ScheduleCreated'>);
    clock.at = dayAfter(old.slotAt);
    // The timers ring at the same time, and the old one is taken first.
    await dataSource.query('update slot_timer set next_slot_at = $1, turn = (schedule_id = $2)::int', [
      clock.at,
      scheduleId,
    ]);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 1, skipped: 0, missed: 0 });
    expect(await outcomeOf(scheduleId, clock.at)).toMatchObject([{ type: 'BackupRequested' }]);
    expect(await outcomeOf(old.scheduleId, clock.at)).toEqual([]);
    expect(await dataSource.query('select schedule_id from slot_timer')).toEqual([{ schedule_id: scheduleId }]);
  });

  it('is decided from the ledger when a change is told, and by a new basis from then on', async () => {
    const [{ slotAt, update }] = await decidedOnce(1);
    expect(await timersWith('not null')).toBe(1);
    const updated = await update({ copyTo: [] });
    await setTimer(dataSource.manager, updated as RecordedEvent<'ScheduleUpdated'>);
    expect(await timersWith('null')).toBe(1);
    clock.at = dayAfter(slotAt);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 1 });
    expect(await timersWith('not null')).toBe(1);
  });

  it('of one schedule is not behind those of an account that has many in the same minute', async () => {
    await decidedOnce(30);
    // Timers of one minute, as a day with turns has left them; this one is the last that was made.
    const [own] = await decidedOnce(1);
    await dataSource.query(`update slot_timer set account_id = 'small' where schedule_id = $1`, [own.scheduleId]);
    const { timers } = await dataSource.transaction((manager) => claimDue(manager, dayAfter(own.slotAt), 2));
    expect(timers.map(({ accountId }) => accountId).sort()).toEqual(['acme', 'small']);
  });

  it('of many schedules is fired once each, though three schedulers see them due', async () => {
    const made = await decidedOnce(40);
    await dataSource.query(
      `insert into slot_timer select (gen_random_uuid()), account_id, instance_id, hour, minute, day_of_week, paused, copy_to, version,
         next_slot_at, ahead, basis, turn from slot_timer, generate_series(1, 30)`,
    );
    clock.at = dayAfter(made[0].slotAt);
    const decided = await Promise.all([dispatcher(), dispatcher(), dispatcher()].map((each) => each.decideDue()));
    expect(decided.reduce((sum, { fired }) => sum + fired, 0)).toBe(40);
    // The timers that nobody has made a schedule for are gone.
    expect(await dataSource.query('select from slot_timer')).toHaveLength(40);
    const events = await Promise.all(made.map(({ scheduleId }) => outcomeOf(scheduleId, clock.at)));
    expect(events.every((each) => each.length === 1)).toBe(true);
  });
});

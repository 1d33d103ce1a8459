import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type NewEvent, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { scheduledBackupId } from '@strongroom/domain';
import { Ledger } from '@strongroom/ledger';
import { Views, viewTables } from '@strongroom/read-model';
import { createLogger, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { DueClock } from './due-clock.js';
import { SlotDispatcher } from './slot-dispatcher.js';
import { removeTimer, schedulesBehind, setTimer } from './slot-timers.js';

const ids = new RandomIds();
const log = createLogger({ app: 'spec', level: 'silent' });
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const hourMs = 3_600_000;

/** A clock turned by hand. */
class HandTurnedClock extends DueClock {
  at = new Date();

  now(): Promise<Date> {
    return Promise.resolve(this.at);
  }
}

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
const clock = new HandTurnedClock();

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({
    applicationName: 'slot-dispatcher-spec',
    entities: viewTables,
  }));
  ledger = new Ledger(dataSource);
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

// Earlier tests' schedules would come due as well.
beforeEach(() => dataSource.query('delete from slot_timer; delete from set_aside'));

const dispatcher = () =>
  new SlotDispatcher(dataSource, ledger, new Views(dataSource, ledger), ids, clock, log, 12 * hourMs);

async function record(
  stream: ReturnType<typeof streamOf>,
  instanceId: string,
  event: NewEvent,
  releases: { kind: string; key: string }[] = [],
): Promise<RecordedEvent> {
  const history = await ledger.readStream(stream);
  const outcome = await ledger.append({
    stream,
    expectedVersion: history.length,
    accountId: 'acme',
    instanceId,
    context,
    events: [{ ...event, id: ids.next() }],
    claims: [],
    releases,
  });
  expect(outcome).toMatchObject({ outcome: 'appended' });
  const recorded = (await ledger.readStream(stream)).at(-1);
  if (!recorded) throw new Error('nothing was recorded');
  return recorded;
}

/** Records an event with the time at which it happened. */
async function recordAt(at: Date, stream: ReturnType<typeof streamOf>, instanceId: string, event: NewEvent) {
  const { length } = await ledger.readStream(stream);
  await dataSource.query(
    `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
     values ($1, $2, $3, 'schedule', $4, 'acme', $5, $6, $7, $8)`,
    [ids.next(), stream, length + 1, event.type, instanceId, at, event.data, context],
  );
  return (await ledger.readStream(stream)).at(-1) as RecordedEvent<'ScheduleCreated' | 'ScheduleUpdated'>;
}

/** Makes a schedule of a registered instance and sets its timer. Its first slot is the first 02:00 after its creation. */
async function schedule({ paused = false, hour = 2, dayOfWeek = 7, at = undefined as Date | undefined } = {}) {
  const [instanceId, scheduleId] = [ids.next(), ids.next()];
  const definition = { dayOfWeek, hour, minute: 0, fullBackupRetention: 2, copyTo: ['IAD'], paused };
  await record(streamOf('instance', instanceId), instanceId, {
    type: 'InstanceRegistered',
    data: {
      instanceId,
      name: 'orders',
      datastore: { type: 'postgresql', version: '18' },
      endpoint: { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'disable' },
    },
  });
  const stream = streamOf('schedule', scheduleId);
  const change = async (
    type: 'ScheduleCreated' | 'ScheduleUpdated',
    changes: Partial<typeof definition> = {},
    changedAt = at,
  ) => {
    const event: NewEvent = { type, data: { scheduleId, instanceId, ...definition, ...changes } };
    const recorded = changedAt
      ? await recordAt(changedAt, stream, instanceId, event)
      : await record(stream, instanceId, event);
    return recorded as RecordedEvent<'ScheduleCreated'> | RecordedEvent<'ScheduleUpdated'>;
  };
  const created = await change('ScheduleCreated');
  await setTimer(dataSource.manager, created);
  const createdAt = new Date(created.at);
  const slotAt = new Date(createdAt);
  slotAt.setUTCHours(hour, 0, 0, 0);
  if (slotAt <= createdAt) slotAt.setUTCDate(slotAt.getUTCDate() + 1);
  return { instanceId, scheduleId, stream, slotAt, change };
}

const dayAfter = (slotAt: Date, days = 1) => new Date(slotAt.getTime() + days * 24 * hourMs);
const outcomeOf = async (scheduleId: string, slotAt: Date) =>
  (await ledger.readStream(streamOf('backup', scheduledBackupId(scheduleId, slotAt)))).map(({ type }) => type);

const toldOf = (scheduleId: string, slotAt: Date) =>
  ledger.readStream(streamOf('backup', scheduledBackupId(scheduleId, slotAt)));

async function endBackup(scheduleId: string, instanceId: string, slotAt: Date): Promise<void> {
  const backupId = scheduledBackupId(scheduleId, slotAt);
  await record(
    streamOf('backup', backupId),
    instanceId,
    {
      type: 'BackupFailed',
      data: { backupId, instanceId, scheduleId, attempt: 1, code: 'server-unreachable', reason: 'down' },
    },
    [{ kind: 'running-backup-of-instance', key: instanceId }],
  );
}

describe('the slot dispatcher', () => {
  it('fires a slot when it is due and not before, with everything the backup needs', async () => {
    const { scheduleId, instanceId, slotAt } = await schedule();
    clock.at = new Date(slotAt.getTime() - 1);
    await dispatcher().decideDue();
    expect(await outcomeOf(scheduleId, slotAt)).toEqual([]);

    clock.at = slotAt;
    expect(await dispatcher().decideDue()).toEqual({ fired: 1, skipped: 0, missed: 0, lagMs: 0 });
    const [requested] = await ledger.readStream(streamOf('backup', scheduledBackupId(scheduleId, slotAt)));
    expect(requested?.data).toMatchObject({
      scheduleId,
      instanceId,
      slotAt: slotAt.toISOString(),
      trigger: 'slot',
      type: 'full',
      copyTo: ['IAD'],
    });
    expect(requested?.accountId).toBe('acme');
  });

  it('fires a slot once though eight schedulers see it due', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => schedule()));
    clock.at = new Date(Math.max(...made.map(({ slotAt }) => slotAt.getTime())));
    const decided = await Promise.all(Array.from({ length: 8 }, () => dispatcher().decideDue()));
    expect(decided.reduce((sum, { fired }) => sum + fired, 0)).toBe(20);
    for (const { scheduleId, slotAt } of made) expect(await outcomeOf(scheduleId, slotAt)).toEqual(['BackupRequested']);
  });

  it('skips a slot while a backup of the instance is running, and fires the next', async () => {
    const { scheduleId, instanceId, slotAt } = await schedule();
    clock.at = slotAt;
    await dispatcher().decideDue();
    clock.at = dayAfter(slotAt);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 0, skipped: 1 });
    expect(await outcomeOf(scheduleId, dayAfter(slotAt))).toEqual(['SlotSkipped']);
    await endBackup(scheduleId, instanceId, slotAt);
    clock.at = dayAfter(slotAt, 2);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 1 });
  });

  it('makes up for one slot after an outage and says of the others that they were missed', async () => {
    const { scheduleId, slotAt } = await schedule();
    clock.at = new Date(dayAfter(slotAt, 3).getTime() + hourMs);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 1, missed: 3, lagMs: hourMs });
    expect(await outcomeOf(scheduleId, slotAt)).toEqual(['SlotMissed']);
    expect(await outcomeOf(scheduleId, dayAfter(slotAt, 3))).toEqual(['BackupRequested', 'BackupDelayed']);
    const [missed] = await toldOf(scheduleId, slotAt);
    const newest = dayAfter(slotAt, 3).toISOString().slice(0, 19);
    expect(missed?.data).toMatchObject({
      reason: expect.stringContaining(`Only the newest slot is made up for, which is that of ${newest}Z.`),
    });
    const [, delayed] = await toldOf(scheduleId, dayAfter(slotAt, 3));
    expect(delayed?.data).toMatchObject({
      ground: 'no-scheduler',
      delayMs: hourMs,
      reason: expect.stringContaining('No scheduler is known to have looked for slots before'),
    });
  });

  it('says of a slot that was due while no scheduler looked from when to when that was', async () => {
    const { scheduleId, slotAt } = await schedule();
    const one = dispatcher();
    const from = new Date(slotAt.getTime() - 30_000);
    const to = new Date(slotAt.getTime() + 13 * hourMs);
    clock.at = from;
    await one.decideDue();
    clock.at = to;
    expect(await one.decideDue()).toMatchObject({ missed: 1 });
    const [missed] = await toldOf(scheduleId, slotAt);
    const [since, until] = [from, to].map((at) => at.toISOString().slice(0, 19));
    expect(missed?.data).toMatchObject({
      reason: expect.stringMatching(
        `^No scheduler looked for slots from ${since}Z to ${until}Z: .* It was found 780 min late, and a slot is made up for within 720 min`,
      ),
    });
  });

  it('says of a skipped slot which backup had not ended, and when that is tried again and why', async () => {
    const { scheduleId, instanceId, slotAt } = await schedule();
    clock.at = slotAt;
    await dispatcher().decideDue();
    const backupId = scheduledBackupId(scheduleId, slotAt);
    const begun = { backupId, attempt: 1, region: 'DFW', runner: 'spec' };
    await record(streamOf('backup', backupId), instanceId, { type: 'BackupStarted', data: begun });
    const failed = { backupId, instanceId, scheduleId, attempt: 1, code: 'server-unreachable', reason: 'down' };
    const [retryAt, retryUntil] = ['2026-11-24T02:05:00.000Z', '2026-11-24T14:00:00.000Z'];
    const attemptFailed = { type: 'BackupAttemptFailed', data: { ...failed, retryAt, retryUntil } } as const;
    await record(streamOf('backup', backupId), instanceId, attemptFailed);
    clock.at = dayAfter(slotAt);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 0, skipped: 1 });
    const [skipped] = await toldOf(scheduleId, dayAfter(slotAt));
    expect(skipped?.data).toMatchObject({
      reason: `Backup ${backupId} of the instance had not ended: it is tried again at 2026-11-24T02:05:00Z, and until 2026-11-24T14:00:00Z, because attempt 1 failed with server-unreachable: down.`,
    });
  });

  it('fires nothing for a paused schedule, nor when it is resumed', async () => {
    const { scheduleId, slotAt, change } = await schedule({ paused: true });
    clock.at = slotAt;
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 0, skipped: 1 });
    const resumed = await change('ScheduleUpdated', { paused: false });
    await setTimer(dataSource.manager, resumed);
    clock.at = new Date(slotAt.getTime() + hourMs);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 0, skipped: 0, missed: 0 });
    expect(await outcomeOf(scheduleId, slotAt)).toEqual(['SlotSkipped']);
  });

  it('does not fire a schedule that was paused or deleted though the feed has not told yet', async () => {
    const paused = await schedule();
    const deleted = await schedule();
    await paused.change('ScheduleUpdated', { paused: true });
    await record(deleted.stream, deleted.instanceId, {
      type: 'ScheduleDeleted',
      data: { scheduleId: deleted.scheduleId, instanceId: deleted.instanceId },
    });
    clock.at = paused.slotAt;
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 0, skipped: 1 });
    expect(await outcomeOf(deleted.scheduleId, deleted.slotAt)).toEqual([]);
  });

  it('does not fire a slot that fell into a pause, though the schedule was resumed before anybody looked', async () => {
    const { scheduleId, slotAt, change } = await schedule({ paused: true, at: new Date('2026-03-02T00:00:00Z') });
    const resumed = await change('ScheduleUpdated', { paused: false }, new Date('2026-03-02T02:00:00.500Z'));
    await setTimer(dataSource.manager, resumed);
    clock.at = new Date('2026-03-02T02:00:01Z');
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 0, skipped: 1, missed: 0 });
    expect(await outcomeOf(scheduleId, slotAt)).toEqual(['SlotSkipped']);
    clock.at = dayAfter(slotAt);
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 1 });
  });

  it('decides a slot that was due before the time of day was changed, though nobody was there to fire it', async () => {
    const { scheduleId, instanceId, slotAt, change } = await schedule({ at: new Date('2026-03-02T00:00:00Z') });
    const changed = await change('ScheduleUpdated', { hour: 10, copyTo: ['ORD'] }, new Date('2026-03-02T08:00:00Z'));
    await setTimer(dataSource.manager, changed);
    clock.at = new Date('2026-03-02T09:00:00Z');
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 1, lagMs: 7 * hourMs });
    const [requested] = await ledger.readStream(streamOf('backup', scheduledBackupId(scheduleId, slotAt)));
    expect(requested).toMatchObject({ type: 'BackupRequested', data: { copyTo: ['IAD'] } });
    await endBackup(scheduleId, instanceId, slotAt);
    clock.at = new Date('2026-03-02T10:00:00Z');
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 1, missed: 0, lagMs: 0 });
  });

  it('holds up no schedule but the one whose history has something that it can not read', async () => {
    const [unreadable, other] = [await schedule(), await schedule()];
    await dataSource.query(
      `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
       values ($1, $2, 2, 'schedule', 'ScheduleTeleported', 'acme', $3, now(), '{}', $4)`,
      [ids.next(), unreadable.stream, unreadable.instanceId, context],
    );
    clock.at = other.slotAt;
    const one = dispatcher();
    expect(await one.decideDue()).toMatchObject({ fired: 1 });
    expect(one.heldBack).toBe(1);
    expect(await outcomeOf(other.scheduleId, other.slotAt)).toEqual(['BackupRequested']);
    expect(await outcomeOf(unreadable.scheduleId, unreadable.slotAt)).toEqual([]);
  });

  it.each([
    ['history is that of something else', 'ScheduleDeleted', (id: string) => ({ scheduleId: id, instanceId: id })],
    ['instance has an event without a known form', 'InstanceForgotten', () => ({ to: 'nowhere' })],
    ['instance has an event of a newer version', 'InstanceTeleported', () => ({})],
  ])('sets a schedule aside whose %s, by its id and with the reason, and fires the others', async (_, type, dataOf) => {
    const [unreadable, other] = [await schedule(), await schedule()];
    const { scheduleId, instanceId } = unreadable;
    await dataSource.query(
      `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
       values ($1, $2, 2, 'instance', $3, 'acme', $4, now(), $5, $6)`,
      [ids.next(), streamOf('instance', instanceId), type, instanceId, dataOf(instanceId), context],
    );
    clock.at = other.slotAt;
    const one = dispatcher();
    expect(await one.decideDue()).toMatchObject({ fired: 1 });
    expect(await outcomeOf(other.scheduleId, other.slotAt)).toEqual(['BackupRequested']);
    expect(await outcomeOf(scheduleId, unreadable.slotAt)).toEqual([]);
    expect(one.heldBack).toBe(1);
    const aside = await dataSource.query(`select id, reason from set_aside where kind = 'schedule'`);
    expect(aside).toMatchObject([
      { id: scheduleId, reason: expect.stringMatching(/can't be judged: .*(position|event)/) },
    ]);
    // Another process may be able to read it.
    await dataSource.transaction(async (manager) => {
      await manager.query('set local session_replication_role = replica');
      await manager.query('grant delete on ledger_event to current_user');
      await manager.query('delete from ledger_event where stream = $1 and version = 2', [
        streamOf('instance', instanceId),
      ]);
      await manager.query('revoke delete on ledger_event from current_user');
    });
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 1 });
    expect(await dataSource.query(`select id from set_aside where kind = 'schedule'`)).toEqual([]);
  });

  it.each(['infinity', '-infinity'])(
    'removes a timer that rings at %s and can not be read, to be made anew, and fires the others',
    async (at) => {
      const [broken, other] = [await schedule(), await schedule()];
      await dataSource.query('update slot_timer set next_slot_at = $2 where schedule_id = $1', [broken.scheduleId, at]);
      clock.at = other.slotAt;
      expect(await dispatcher().decideDue()).toMatchObject({ fired: 1 });
      expect(await outcomeOf(other.scheduleId, other.slotAt)).toEqual(['BackupRequested']);
      expect(await schedulesBehind(dataSource.manager, [{ id: broken.scheduleId, version: 1 }])).toEqual(
        new Set([broken.scheduleId]),
      );
    },
  );

  it('comes back from a year without a scheduler in steps that are bounded, and fires each schedule at the end', async () => {
    const made = await Promise.all(Array.from({ length: 200 }, () => schedule()));
    const last = Math.max(...made.map(({ slotAt }) => slotAt.getTime()));
    clock.at = dayAfter(new Date(last), 365);
    const before = await ledger.head();
    expect(await dispatcher().decideDue()).toMatchObject({ fired: 200, missed: 200 * 365 });
    const [{ largest, transactions }] = await dataSource.query(
      `select max(n)::int as largest, count(*)::int as transactions from (
         select count(*) as n from ledger_event where position > $1 group by xmin::text
       ) steps`,
      [before],
    );
    expect(largest).toBeLessThanOrEqual(500);
    expect(transactions).toBeGreaterThanOrEqual((200 * 366) / 500);
  }, 240_000);

  it('goes by the new time of day though the feed has not told of it yet', async () => {
    // Both slots lie in the same 24 hours after now, whatever the hour is.
    const hourFromNow = (hours: number) => new Date(Date.now() + hours * hourMs).getUTCHours();
    const { scheduleId, slotAt, change } = await schedule({ hour: hourFromNow(2) });
    await change('ScheduleUpdated', { hour: hourFromNow(4) });
    const newSlot = new Date(slotAt.getTime() + 2 * hourMs);
    clock.at = newSlot;
    await dispatcher().decideDue();
    expect(await outcomeOf(scheduleId, slotAt)).toEqual([]);
    expect(await outcomeOf(scheduleId, newSlot)).toEqual(['BackupRequested']);
  });
});

describe('a timer', () => {
  it('is set and removed once, however often and in whatever state its events come again', async () => {
    const { scheduleId, instanceId, slotAt, stream, change } = await schedule();
    const timers = () =>
      dataSource.query('select hour, next_slot_at from slot_timer where schedule_id = $1', [scheduleId]);
    const [created] = await ledger.readStream(stream);
    const updated = await change('ScheduleUpdated', { hour: 5 });
    await setTimer(dataSource.manager, updated);
    const [changed] = await timers();
    await setTimer(dataSource.manager, created as RecordedEvent<'ScheduleCreated'>);
    expect(await timers()).toEqual([changed]);
    expect(changed).toMatchObject({ hour: 5 });
    expect(slotAt.getUTCHours()).toBe(2);
    const deleted = await record(stream, instanceId, { type: 'ScheduleDeleted', data: { scheduleId, instanceId } });
    await removeTimer(dataSource.manager, deleted as RecordedEvent<'ScheduleDeleted'>);
    expect(await timers()).toEqual([]);
  });
});

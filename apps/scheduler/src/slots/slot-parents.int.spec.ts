import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventData, type NewEvent, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { nextSlot, scheduledBackupId } from '@strongroom/domain';
import { RunnerWorld } from '../../fixtures/runner-world.js';
import { DueClock } from './due-clock.js';
import { SlotDispatcher } from './slot-dispatcher.js';
import { setTimer } from './slot-timers.js';

const dayMs = 86_400_000;

/** A clock turned by hand. */
class HandTurnedClock extends DueClock {
  at = new Date();

  now(): Promise<Date> {
    return Promise.resolve(this.at);
  }
}

let world: RunnerWorld;
const clock = new HandTurnedClock();
beforeAll(async () => {
  world = await RunnerWorld.create();
});
afterAll(() => world.remove());

const dayAfter = (slotAt: Date, days = 1) => new Date(slotAt.getTime() + days * dayMs);

/** A schedule whose first slots are planned incremental. */
async function incrementals(version = '18') {
  const instanceId = await world.register({ host: 'db', port: 5432, user: 'backup', password: 'x' }, version);
  const scheduleId = world.ids.next();
  const definition = { dayOfWeek: (new Date().getUTCDay() + 5) % 7, hour: 2, minute: 0 };
  const rest = { fullBackupRetention: 2, copyTo: [], paused: false };
  const stream = streamOf('schedule', scheduleId);
  const data = { scheduleId, instanceId, ...definition, ...rest };
  await world.record(stream, instanceId, { type: 'ScheduleCreated', data });
  const [created] = await world.ledger.readStream(stream);
  await setTimer(world.dataSource.manager, created as RecordedEvent<'ScheduleCreated'>);
  return { instanceId, scheduleId, slotAt: nextSlot(definition, new Date()) };
}

/** What the slot dispatcher records at the slot: the request, and what it tells besides. */
async function askedOf(scheduleId: string, slotAt: Date) {
  clock.at = slotAt;
  await new SlotDispatcher(
    world.dataSource,
    world.ledger,
    world.views,
    world.ids,
    clock,
    world.log,
    dayMs / 2,
  ).decideDue();
  const stream = streamOf('backup', scheduledBackupId(scheduleId, slotAt));
  const [requested, ...more] = await world.ledger.readStream(stream);
  return { asked: requested?.data, told: more.map(({ type, data }) => ({ type, data })) };
}

/** Ends the backup as a runner does. Another backup of the instance can begin then. */
async function end(instanceId: string, event: Extract<NewEvent, { type: 'BackupCompleted' | 'BackupFailed' }>) {
  await world.record(streamOf('backup', event.data.backupId), instanceId, event);
  await world.dataSource.query('delete from ledger_claim where key = $1', [instanceId]);
  await world.views.catchUp('acme');
}

async function completed(
  backupId: string,
  instanceId: string,
  { scheduleId = null, parentId = null }: Partial<Pick<EventData<'BackupCompleted'>, 'scheduleId' | 'parentId'>> = {},
): Promise<string> {
  const made = { attempt: 1, region: 'DFW', location: backupId, sizeBytes: 1, rawBytes: 1, sha256: '0'.repeat(64) };
  const of = { backupId, instanceId, scheduleId, parentId, type: parentId === null ? 'full' : 'incremental' } as const;
  const data = { ...of, ...made, copyTo: [], startedAt: new Date().toISOString() };
  await end(instanceId, { type: 'BackupCompleted', data });
  return backupId;
}

/** A backup that a client has asked for. */
async function byHand(instanceId: string, parentId: string | null = null): Promise<string> {
  const type = parentId === null ? 'full' : 'incremental';
  return completed(await world.request(instanceId, { type, parentId }), instanceId, { parentId });
}

describe('a slot', () => {
  it('waits for the views of its account while they are folded, and is not made full for what they do not show yet', async () => {
    const { scheduleId, instanceId, slotAt } = await incrementals();
    const parentId = await byHand(instanceId);
    await world.dataSource.query('delete from backup_view');
    await world.dataSource.query('update view_head set position = 0, whole_until = 0');
    const folding = world.dataSource.createQueryRunner();
    await folding.startTransaction();
    try {
      await folding.query('set local idle_in_transaction_session_timeout = 0');
      await folding.query('select 1 from view_head for update');
      expect(await askedOf(scheduleId, slotAt)).toEqual({ asked: undefined, told: [] });
      await folding.commitTransaction();
    } finally {
      await folding.release();
    }
    expect(await askedOf(scheduleId, slotAt)).toMatchObject({ asked: { type: 'incremental', parentId }, told: [] });
  });

  it('builds on a backup of which a newer version has told more, and on none whose history can not be read', async () => {
    const { scheduleId, instanceId, slotAt } = await incrementals();
    const parentId = await byHand(instanceId);
    const tellMore = (type: string, version: number) =>
      world.dataSource.query(
        `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
         select gen_random_uuid(), stream, $3, aggregate, $2, account_id, instance_id, now(), '{}', context
         from ledger_event where stream = $1 and version = 1`,
        [streamOf('backup', parentId), type, version],
      );
    await tellMore('BackupWeighed', 10);
    expect(await askedOf(scheduleId, slotAt)).toMatchObject({ asked: { type: 'incremental', parentId }, told: [] });
    await end(instanceId, {
      type: 'BackupFailed',
      data: {
        ...{ backupId: scheduledBackupId(scheduleId, slotAt), instanceId, scheduleId },
        attempt: 1,
        code: 'x',
        reason: 'x',
      },
    });
    await tellMore('BackupDeletionRequested', 11);
    const reason = expect.stringContaining('could not be read');
    expect(await askedOf(scheduleId, dayAfter(slotAt))).toMatchObject({
      asked: { type: 'full', parentId: null },
      told: [{ type: 'BackupMadeFull', data: { ground: 'parent-not-there', reason } }],
    });
  });

  it('builds on what there is, whatever version the server had when it was registered', async () => {
    const { scheduleId, instanceId, slotAt } = await incrementals('16');
    await askedOf(scheduleId, slotAt);
    const parentId = await completed(scheduledBackupId(scheduleId, slotAt), instanceId, { scheduleId });
    const { asked, told } = await askedOf(scheduleId, dayAfter(slotAt));
    expect(asked).toMatchObject({ type: 'incremental', parentId });
    expect(told).toEqual([]);
  });

  it('says at once why a run is full that was planned incremental: there was nothing to build on', async () => {
    const { scheduleId, slotAt } = await incrementals();
    const { asked, told } = await askedOf(scheduleId, slotAt);
    expect(asked).toMatchObject({ type: 'full', parentId: null });
    expect(told).toMatchObject([
      {
        type: 'BackupMadeFull',
        data: { plannedParentId: null, ground: 'nothing-to-build-on', reason: expect.stringContaining('no completed') },
      },
    ]);
  });

  it("builds on the instance's newest backup, whoever asked for it", async () => {
    const { scheduleId, instanceId, slotAt } = await incrementals();
    await askedOf(scheduleId, slotAt);
    const scheduled = await completed(scheduledBackupId(scheduleId, slotAt), instanceId, { scheduleId });
    const full = await byHand(instanceId);
    const { asked } = await askedOf(scheduleId, dayAfter(slotAt));
    expect(asked).toMatchObject({ type: 'incremental', parentId: full });
    await completed(scheduledBackupId(scheduleId, dayAfter(slotAt)), instanceId, { scheduleId, parentId: full });
    const child = await byHand(instanceId, scheduledBackupId(scheduleId, dayAfter(slotAt)));
    expect((await askedOf(scheduleId, dayAfter(slotAt, 2))).asked).toMatchObject({ parentId: child });
    expect(scheduled).not.toBe(child);
  });

  it('builds on nothing that is being deleted, or whose own parent is', async () => {
    const { scheduleId, instanceId, slotAt } = await incrementals();
    const full = await byHand(instanceId);
    const child = await byHand(instanceId, full);
    await world.record(streamOf('backup', full), instanceId, {
      type: 'BackupDeletionRequested',
      data: { backupId: full, instanceId, scheduleId: null, trigger: 'request' },
    });
    await world.views.catchUp('acme');
    const { asked, told } = await askedOf(scheduleId, slotAt);
    expect(asked).toMatchObject({ type: 'full', parentId: null });
    expect(told).toMatchObject([{ data: { ground: 'parent-not-there', reason: expect.stringContaining(child) } }]);
    const backupId = scheduledBackupId(scheduleId, slotAt);
    await end(instanceId, {
      type: 'BackupFailed',
      data: { backupId, instanceId, scheduleId, attempt: 1, code: 'server-unreachable', reason: 'down' },
    });
    const alone = await byHand(instanceId);
    // The views do not show it yet. They are brought up to date before the slot is judged.
    await world.record(streamOf('backup', alone), instanceId, {
      type: 'BackupDeletionRequested',
      data: { backupId: alone, instanceId, scheduleId: null, trigger: 'request' },
    });
    expect((await askedOf(scheduleId, dayAfter(slotAt))).told).toMatchObject([
      { data: { ground: 'parent-not-there', reason: expect.stringContaining(child) } },
    ]);
  });
});

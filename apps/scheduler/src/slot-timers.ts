/**
 * The scheduler's own projection: one timer a schedule, with the next slot that nobody has decided yet. A schedule's
 * version guards its timer, so that an event handled twice, or late, changes nothing.
 */
import type { RecordedEvent } from '@strongroom/contracts';
import { nextSlot } from '@strongroom/domain';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

export interface SlotTimer {
  scheduleId: string;
  accountId: string;
  instanceId: string;
  hour: number;
  minute: number;
  paused: boolean;
  copyTo: string[];
  nextSlotAt: Date;
}

const timerRow = z
  .object({
    schedule_id: z.string(),
    account_id: z.string(),
    instance_id: z.string(),
    hour: z.int(),
    minute: z.int(),
    paused: z.boolean(),
    copy_to: z.array(z.string()),
    next_slot_at: z.date(),
  })
  .transform(
    (row): SlotTimer => ({
      scheduleId: row.schedule_id,
      accountId: row.account_id,
      instanceId: row.instance_id,
      hour: row.hour,
      minute: row.minute,
      paused: row.paused,
      copyTo: row.copy_to,
      nextSlotAt: row.next_slot_at,
    }),
  );

/** Sets the timer of a new schedule, or of one that changed. A slot that is due already stays due unless the time of day changed. */
export async function setTimer(
  manager: EntityManager,
  { accountId, version, at, data }: RecordedEvent<'ScheduleCreated'> | RecordedEvent<'ScheduleUpdated'>,
): Promise<void> {
  await manager.query(
    `insert into slot_timer as t
       (schedule_id, account_id, instance_id, hour, minute, day_of_week, paused, copy_to, version, next_slot_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     on conflict (schedule_id) do update set
       hour = excluded.hour, minute = excluded.minute, day_of_week = excluded.day_of_week, paused = excluded.paused,
       copy_to = excluded.copy_to, version = excluded.version,
       next_slot_at = case when (t.hour, t.minute) = (excluded.hour, excluded.minute) then t.next_slot_at else excluded.next_slot_at end
     where t.version < excluded.version`,
    [
      data.scheduleId,
      accountId,
      data.instanceId,
      data.hour,
      data.minute,
      data.dayOfWeek,
      data.paused,
      data.copyTo,
      version,
      nextSlot(data, new Date(at)),
    ],
  );
}

export async function removeTimer(manager: EntityManager, { data }: RecordedEvent<'ScheduleDeleted'>): Promise<void> {
  await manager.query('delete from slot_timer where schedule_id = $1', [data.scheduleId]);
}

/** Takes due timers for the length of the transaction; those that another process has taken are passed over. */
export async function claimDue(manager: EntityManager, now: Date, limit: number): Promise<SlotTimer[]> {
  const rows: unknown = await manager.query(
    `select schedule_id, account_id, instance_id, hour, minute, paused, copy_to, next_slot_at from slot_timer
     where next_slot_at <= $1 order by next_slot_at limit $2 for update skip locked`,
    [now, limit],
  );
  return z.array(timerRow).parse(rows);
}

export async function moveTimers(
  manager: EntityManager,
  timers: { scheduleId: string; nextSlotAt: Date }[],
): Promise<void> {
  await manager.query(
    `update slot_timer t set next_slot_at = moved.next_slot_at
     from unnest($1::uuid[], $2::timestamptz[]) as moved(schedule_id, next_slot_at) where t.schedule_id = moved.schedule_id`,
    [timers.map(({ scheduleId }) => scheduleId), timers.map(({ nextSlotAt }) => nextSlotAt)],
  );
}

/** Removes timers whose schedules are gone, though the news of it has not arrived yet. */
export async function dropTimers(manager: EntityManager, scheduleIds: string[]): Promise<void> {
  await manager.query('delete from slot_timer where schedule_id = any($1)', [scheduleIds]);
}

/** How long the slot that is due longest has been waiting, in milliseconds; 0 when none is due. */
export async function overdueMs(manager: EntityManager): Promise<number> {
  const rows: unknown = await manager.query(
    'select greatest(coalesce(extract(epoch from now() - min(next_slot_at)) * 1000, 0), 0)::float8 as ms from slot_timer',
  );
  return z.array(z.object({ ms: z.number() })).parse(rows)[0]?.ms ?? 0;
}

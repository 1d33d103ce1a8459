/**
 * The table of timers, which is the scheduler's own: one timer for each schedule, at or before the first slot that nobody
 * has decided yet. News of a change may make a timer ring earlier, never later: a slot that is due is decided, whatever the
 * schedule says by then. A slot that is decided already is known by its identity.
 */
import type { RecordedEvent } from '@strongroom/contracts';
import { nextSlot } from '@strongroom/domain';
import { preparedWithin } from '@strongroom/runtime';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

export interface SlotTimer {
  scheduleId: string;
  accountId: string;
  instanceId: string;
  nextSlotAt: Date;
  /** Slots that were called missed or skipped before their time and are still to come. An older process may name one twice, or one that ran. */
  ahead: Date[];
  /** What the slots may be decided by, as a process has kept it; null when there is nothing. */
  basis: unknown;
}

const timerRow = z
  .object({
    schedule_id: z.string(),
    account_id: z.string(),
    instance_id: z.string(),
    next_slot_at: z.date(),
    ahead: z.array(z.date()),
    basis: z.unknown(),
  })
  .transform(
    (row): SlotTimer => ({
      scheduleId: row.schedule_id,
      accountId: row.account_id,
      instanceId: row.instance_id,
      nextSlotAt: row.next_slot_at,
      ahead: row.ahead,
      basis: row.basis,
    }),
  );

/** Timers that a transaction has taken. A row that can't be read stops no other. */
export interface ClaimedTimers {
  timers: SlotTimer[];
  unreadable: { scheduleId: string; reason: string }[];
}

const ofSchedule = z.object({ schedule_id: z.string() });

function claimed(rows: unknown): ClaimedTimers {
  const found: ClaimedTimers = { timers: [], unreadable: [] };
  for (const row of z.array(z.unknown()).parse(rows)) {
    const { data, error } = timerRow.safeParse(row);
    if (data) found.timers.push(data);
    else {
      const { schedule_id: scheduleId } = ofSchedule.parse(row);
      const wrong = error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
      found.unreadable.push({ scheduleId, reason: `its timer can't be read: ${wrong}` });
    }
  }
  return found;
}

type Definition = RecordedEvent<'ScheduleCreated'> | RecordedEvent<'ScheduleUpdated'>;

/** Of several changes of one schedule the newest counts, and the earliest of their slots. */
const toSet = `insert into slot_timer as t (schedule_id, account_id, instance_id, hour, minute, version, next_slot_at)
  select distinct on (schedule_id) schedule_id, account_id, instance_id, hour, minute, version, min(slot_at) over (partition by schedule_id)
  from unnest($1::uuid[], $2::text[], $3::uuid[], $4::integer[], $5::integer[], $6::integer[], $7::timestamptz[])
    as given(schedule_id, account_id, instance_id, hour, minute, version, slot_at)
  order by schedule_id, version desc
  on conflict (schedule_id) do update set
    hour = excluded.hour, minute = excluded.minute, version = excluded.version, basis = null,
    next_slot_at = least(t.next_slot_at, excluded.next_slot_at)
  where t.version < excluded.version`;

/**
 * Sets the timers of new schedules by one statement. The timer of a changed one rings for the first slot of the change, if that comes first.
 * @returns those first slots
 */
export async function setTimers(manager: EntityManager, events: readonly Definition[]): Promise<Date[]> {
  const slots = events.map(({ at, data }) => nextSlot(data, new Date(at)));
  await preparedWithin(manager, toSet, [
    events.map(({ data }) => data.scheduleId),
    events.map(({ accountId }) => accountId),
    events.map(({ data }) => data.instanceId),
    events.map(({ data }) => data.hour),
    events.map(({ data }) => data.minute),
    events.map(({ version }) => version),
    slots.map((slot) => slot.toISOString()),
  ]);
  return slots;
}

/** As `setTimers`, for one schedule. */
export async function setTimer(manager: EntityManager, event: Definition): Promise<void> {
  await setTimers(manager, [event]);
}

/** Tells which of the schedules have no timer, or a timer that has missed the news of a change. */
export async function schedulesBehind(
  manager: EntityManager,
  schedules: readonly { id: string; version: number }[],
): Promise<Set<string>> {
  const rows: unknown = await manager.query(
    `select id from unnest($1::uuid[], $2::integer[]) as asked(id, version)
     where not exists (select from slot_timer t where t.schedule_id = asked.id and t.version >= asked.version)`,
    [schedules.map(({ id }) => id), schedules.map(({ version }) => version)],
  );
  return new Set(
    z
      .array(z.object({ id: z.string() }))
      .parse(rows)
      .map(({ id }) => id),
  );
}

/** Tells whether the schedule has a timer, and keeps others from moving it until the end of the transaction. */
export async function hasTimer(manager: EntityManager, scheduleId: string): Promise<boolean> {
  const rows: unknown = await manager.query('select 1 from slot_timer where schedule_id = $1 for update', [scheduleId]);
  return z.array(z.unknown()).parse(rows).length > 0;
}

export async function removeTimer(manager: EntityManager, { data }: RecordedEvent<'ScheduleDeleted'>): Promise<void> {
  await manager.query('delete from slot_timer where schedule_id = $1', [data.scheduleId]);
}

const columns = 'schedule_id, account_id, instance_id, next_slot_at, ahead, basis';

/**
 * Takes due timers until the end of the transaction. Timers that another process has taken are passed over.
 * @param except schedules whose timers are not taken
 */
export async function claimDue(
  manager: EntityManager,
  now: Date,
  limit: number,
  except: readonly string[] = [],
): Promise<ClaimedTimers> {
  const rows: unknown = await manager.query(
    `select ${columns} from slot_timer
     where next_slot_at <= $1 and schedule_id <> all($3) order by next_slot_at, turn limit $2 for update skip locked`,
    [now, limit, except],
  );
  return claimed(rows);
}

const ringRows = z.array(z.object({ now: z.date(), first: z.unknown(), last: z.unknown() })).length(1);

/** What one statement tells of the timers, beside the database's time. */
export interface Rings {
  now: Date;
  /** When the next timer rings, which may be in the past; undefined when there is none. A timer that can't be read rings at once. */
  first: Date | undefined;
  /** When the last timer rings, in milliseconds since 1970; infinite when it can't be read, and minus infinity when there is none. */
  lastMs: number;
}

/** When the timers ring, by the index alone. @param except schedules whose timers do not count */
export async function readRings(manager: EntityManager, except: readonly string[]): Promise<Rings> {
  const rows: unknown = await manager.query(
    `select clock_timestamp() as now,
       (select next_slot_at from slot_timer where schedule_id <> all($1) order by next_slot_at limit 1) as first,
       (select next_slot_at from slot_timer where schedule_id <> all($1) order by next_slot_at desc limit 1) as last`,
    [except],
  );
  const [row] = ringRows.parse(rows);
  if (!row) throw new Error('the database told nothing of the timers');
  const { now, first, last } = row;
  return { now, first: nextOf(first), lastMs: lastMsOf(last) };
}

/** The driver gives no date for what lies beyond all dates. */
function nextOf(ring: unknown): Date | undefined {
  if (ring === null || ring === Number.POSITIVE_INFINITY) return undefined;
  return ring instanceof Date ? ring : new Date(0);
}

function lastMsOf(ring: unknown): number {
  if (ring === null) return Number.NEGATIVE_INFINITY;
  return ring instanceof Date ? ring.getTime() : Number.POSITIVE_INFINITY;
}

/**
 * Takes timers that ring after the next slot of their schedule, until the end of the transaction: a clock that was ahead has
 * set them. Every schedule has a slot within 24 hours, so a timer that rings later is found by the index alone.
 * @param all whether to find those that ring within 24 hours too, for which every timer is read
 * @param after the id of a schedule; the timers are those of the next ids, in order
 */
export async function claimLate(
  manager: EntityManager,
  now: Date,
  { limit, all, except, after }: { limit: number; all: boolean; except: readonly string[]; after?: string | undefined },
): Promise<ClaimedTimers> {
  const rows: unknown = await manager.query(
    `select ${columns} from slot_timer
     cross join lateral (
       select date_trunc('day', $1::timestamptz at time zone 'UTC') + make_interval(hours => hour, mins => minute) as today
     ) of_day
     where next_slot_at > $1::timestamptz + case when $3 then interval '0' else interval '24 hours' end
       and next_slot_at at time zone 'UTC'
         > today + case when today > $1::timestamptz at time zone 'UTC' then interval '0' else interval '24 hours' end
       and schedule_id <> all($4) and ($5::uuid is null or schedule_id > $5)
     order by schedule_id limit $2 for update of slot_timer skip locked`,
    [now, limit, all, except, after ?? null],
  );
  return claimed(rows);
}

export async function putBackTimer(
  manager: EntityManager,
  { scheduleId, nextSlotAt, ahead }: Pick<SlotTimer, 'scheduleId' | 'nextSlotAt' | 'ahead'>,
): Promise<void> {
  await manager.query('update slot_timer set next_slot_at = $2, ahead = $3::timestamptz[] where schedule_id = $1', [
    scheduleId,
    nextSlotAt,
    ahead.map((slotAt) => slotAt.toISOString()),
  ]);
}

export interface MovedTimer {
  scheduleId: string;
  nextSlotAt: Date;
  /** What is to be kept with it. Default: what is there. */
  basis?: object | undefined;
  /** Of the timers that ring at one time, those with lower turns are taken first. Default: 0. */
  turn?: number;
}

export async function moveTimers(manager: EntityManager, timers: readonly MovedTimer[]): Promise<void> {
  await manager.query(
    `update slot_timer t set next_slot_at = moved.next_slot_at, basis = coalesce(moved.basis, t.basis), turn = moved.turn,
       ahead = case when t.ahead = '{}' then t.ahead
         else array(select slot_at from unnest(t.ahead) as decided(slot_at) where slot_at >= moved.next_slot_at) end
     from unnest($1::uuid[], $2::timestamptz[], $3::jsonb[], $4::integer[]) as moved(schedule_id, next_slot_at, basis, turn)
     where t.schedule_id = moved.schedule_id`,
    [
      timers.map(({ scheduleId }) => scheduleId),
      timers.map(({ nextSlotAt }) => nextSlotAt.toISOString()),
      timers.map(({ basis }) => (basis ? JSON.stringify(basis) : null)),
      timers.map(({ turn = 0 }) => turn),
    ],
  );
}

/** Undoes the moves of timers within a transaction that has moved them. What was kept with them was old. */
export async function undoMoves(manager: EntityManager, timers: readonly SlotTimer[]): Promise<void> {
  await manager.query(
    `update slot_timer t set next_slot_at = moved.next_slot_at, basis = null, ahead = moved.ahead::timestamptz[]
     from unnest($1::uuid[], $2::timestamptz[], $3::text[]) as moved(schedule_id, next_slot_at, ahead)
     where t.schedule_id = moved.schedule_id`,
    [
      timers.map(({ scheduleId }) => scheduleId),
      timers.map(({ nextSlotAt }) => nextSlotAt.toISOString()),
      timers.map(({ ahead }) => `{${ahead.map((slotAt) => slotAt.toISOString()).join(',')}}`),
    ],
  );
}

/** Removes the timers of schedules that are gone, before the news of it arrives. */
export async function dropTimers(manager: EntityManager, scheduleIds: string[]): Promise<void> {
  await manager.query('delete from slot_timer where schedule_id = any($1)', [scheduleIds]);
}

/** How long the slot that is due longest has been waiting, in milliseconds; 0 when none is due. */
export async function overdueMs(manager: EntityManager): Promise<number> {
  const rows: unknown = await manager.query(
    `select greatest(coalesce(extract(epoch from now() - min(next_slot_at)) * 1000, 0), 0)::float8 as ms
     from slot_timer where next_slot_at > '-infinity'`,
  );
  return z.array(z.object({ ms: z.number() })).parse(rows)[0]?.ms ?? 0;
}

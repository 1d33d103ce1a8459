/**
 * The arithmetic of slots. A slot is an instant at which a schedule is due, named by its nominal time in UTC. A schedule is
 * due every day at its hour and minute; the day of the week only says on which day the backup is full.
 *
 * Each slot is judged by what the schedule said at the slot's time. So an edit or a pause neither adds nor removes a slot
 * that was due before it.
 */
import type { BackupType, RecordedEvent } from '@strongroom/contracts';
import type { ScheduleDefinition } from './schedule.js';

export interface DailyTime {
  /** 0 to 23, UTC. */
  hour: number;
  /** 0 to 59. */
  minute: number;
}

/** A definition of a schedule and the instant since when it has been in force. */
export interface DefinedSince {
  since: Date;
  definition: ScheduleDefinition;
}

export interface Slot {
  slotAt: Date;
  /** The definition that was in force at that time. */
  definition: ScheduleDefinition;
}

const dayMs = 86_400_000;

/** How long it is from one slot of a schedule to the next one: every schedule is due once a day. */
export const slotIntervalMs = dayMs;

/** The first slot strictly after an instant. */
export function nextSlot({ hour, minute }: DailyTime, after: Date): Date {
  const sameDay = Date.UTC(after.getUTCFullYear(), after.getUTCMonth(), after.getUTCDate(), hour, minute);
  return new Date(sameDay > after.getTime() ? sameDay : sameDay + dayMs);
}

/** What is planned for a slot: a full backup on the schedule's day of the week (7: every day), else an incremental. */
export function plannedType(dayOfWeek: number, slotAt: Date): BackupType {
  return dayOfWeek === 7 || slotAt.getUTCDay() === dayOfWeek ? 'full' : 'incremental';
}

/** The time at which a stream is read, for callers whose clock is better than that of the events. */
export interface ReadAt {
  now: Date;
  /** The latest start of a definition that was recorded with a time in the future. */
  latest: Date;
}

/**
 * The definitions of a schedule over time, from its stream. Since the database's clock may have been put back, no definition
 * begins before the one before it, and none begins in the future.
 */
export function definitionsOf(told: readonly RecordedEvent[], read?: ReadAt): DefinedSince[] {
  const spans: DefinedSince[] = [];
  for (const event of told) {
    if (event.type !== 'ScheduleCreated' && event.type !== 'ScheduleUpdated') continue;
    const { scheduleId: _, instanceId: __, ...definition } = event.data;
    const toldAt = Date.parse(event.at);
    const at = read && toldAt > read.now.getTime() ? Math.min(toldAt, read.latest.getTime()) : toldAt;
    const since = new Date(Math.max(at, spans.at(-1)?.since.getTime() ?? 0));
    spans.push({ since, definition });
  }
  return spans;
}

/** The definition in force at a slot. At the exact instant of an edit, it is the former one. @param spans at least one */
export function definitionAt(spans: readonly DefinedSince[], slotAt: Date): ScheduleDefinition {
  const at = slotAt.getTime();
  const span = spans.findLast(({ since }) => since.getTime() < at) ?? spans[0];
  if (!span) throw new RangeError('a schedule that was never defined has no slots');
  return span.definition;
}

/**
 * Every slot from an instant on, in order and without end. A slot at the exact instant of an edit is of the former definition.
 */
export function* slotsOf(spans: readonly DefinedSince[], from: Date): Generator<Slot> {
  for (const [index, { since, definition }] of spans.entries()) {
    const until = spans[index + 1]?.since.getTime() ?? Number.POSITIVE_INFINITY;
    let slotAt = nextSlot(definition, new Date(Math.max(since.getTime(), from.getTime() - 1)));
    for (; slotAt.getTime() <= until; slotAt = nextSlot(definition, slotAt)) yield { slotAt, definition };
  }
}

export interface DueSlots {
  /** Slots that were due while the schedule was paused, oldest first, and the one to fire, if it is paused now. */
  paused: Slot[];
  /** Slots that passed without a backup and get none any more, oldest first. */
  missed: Slot[];
  /** The slot to fire now: the newest one that was not paused, unless it is too old. */
  fire: Slot | undefined;
  /** The first slot that is not judged yet. */
  next: Date;
}

/**
 * Judges the slots from an instant up to now. After an outage only the newest slot still runs, and only within the catch-up
 * window. Every other slot is missed.
 * @param spans at least one
 * @param catchUpMs how old a slot may be and still be fired, in milliseconds
 * @param limit how many slots are judged at once; the others stay due
 */
export function dueSlots(
  spans: readonly DefinedSince[],
  from: Date,
  now: Date,
  catchUpMs: number,
  limit = 1_000,
): DueSlots {
  const paused: Slot[] = [];
  const due: Slot[] = [];
  for (const slot of slotsOf(spans, from)) {
    const isDue = slot.slotAt.getTime() <= now.getTime();
    if (isDue && paused.length + due.length < limit) {
      (slot.definition.paused ? paused : due).push(slot);
      continue;
    }
    const newest = due.at(-1);
    const isInTime = newest && !isDue && now.getTime() - newest.slotAt.getTime() <= catchUpMs;
    if (!isInTime) return { paused, missed: due, fire: undefined, next: slot.slotAt };
    const missed = due.slice(0, -1);
    // When the schedule was paused since then, no backup is wanted now, though one was due before.
    return spans.at(-1)?.definition.paused
      ? { paused: [...paused, newest], missed, fire: undefined, next: slot.slotAt }
      : { paused, missed, fire: newest, next: slot.slotAt };
  }
  throw new RangeError('a schedule that was never defined has no slots');
}

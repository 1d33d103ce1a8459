/**
 * The arithmetic of slots: the instants, named by their nominal time in UTC, at which a schedule is due.
 * A schedule is due every day at its hour and minute; the day of the week only says which day's backup is full.
 */
import type { BackupType } from '@strongroom/contracts';

export interface DailyTime {
  /** 0 to 23, UTC. */
  hour: number;
  /** 0 to 59. */
  minute: number;
}

const dayMs = 86_400_000;

/** The first slot strictly after an instant. */
export function nextSlot({ hour, minute }: DailyTime, after: Date): Date {
  const sameDay = Date.UTC(after.getUTCFullYear(), after.getUTCMonth(), after.getUTCDate(), hour, minute);
  return new Date(sameDay > after.getTime() ? sameDay : sameDay + dayMs);
}

/** What the definition asks of a slot: full on its day of the week, every day when that is 7, else incremental. */
export function plannedType(dayOfWeek: number, slotAt: Date): BackupType {
  return dayOfWeek === 7 || slotAt.getUTCDay() === dayOfWeek ? 'full' : 'incremental';
}

export interface DueSlots {
  /** Slots that passed unfired and are not made up for, oldest first. */
  missed: Date[];
  /** The slot to fire now, if the newest due one is not too old. */
  fire: Date | undefined;
  /** The first slot that is not due yet. */
  next: Date;
}

/**
 * Judges the slots from `from` (a slot, the first that nobody decided yet) up to now. After an outage at most one slot
 * is made up for, the newest, and only within the catch-up window; every other one is missed.
 *
 * @param catchUpMs how old a slot may be and still be fired, in milliseconds
 * @param limit the most slots judged at once; the rest stay due
 */
export function dueSlots(daily: DailyTime, from: Date, now: Date, catchUpMs: number, limit = 1_000): DueSlots {
  const due: Date[] = [];
  let slot = from;
  while (slot.getTime() <= now.getTime() && due.length < limit) {
    due.push(slot);
    slot = nextSlot(daily, slot);
  }
  const newest = due.at(-1);
  const allJudged = slot.getTime() > now.getTime();
  const fire = newest && allJudged && now.getTime() - newest.getTime() <= catchUpMs ? newest : undefined;
  return { missed: fire ? due.slice(0, -1) : due, fire, next: slot };
}

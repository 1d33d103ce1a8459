/**
 * Knows since when schedulers have looked for due slots without a break, and so tells why a slot was decided late. A break is
 * a time in which no scheduler looked, because none ran, or because none could reach the ledger's database.
 */
import type { Delay } from '@strongroom/domain';
import type { DueTime } from './due-clock.js';

interface Break {
  /** When a scheduler looked last before the break; undefined when none is known to have looked. */
  from: Date | undefined;
  to: Date;
}

/** A slot that is decided this much later is late, and a time in which nobody looked is a break. */
const lateMs = 60_000;

export class SlotWatch {
  private lookedAt: Date | undefined;
  private last: Break | undefined;

  /** Notes that this process looks for slots now. */
  look({ now, seenAt }: Pick<DueTime, 'now' | 'seenAt'>): void {
    const from = latest(this.lookedAt, seenAt);
    if (from === undefined || now.getTime() - from.getTime() >= lateMs) this.last = { from, to: now };
    this.lookedAt = now;
  }

  /** Why a slot is decided only now; undefined when it is in time. @param again whether a wrong clock had decided it before */
  delayOf(slotAt: Date, now: Date, again: boolean): Delay | undefined {
    const delayMs = now.getTime() - slotAt.getTime();
    if (delayMs < lateMs) return undefined;
    if (again) {
      const reason = 'A clock that was ahead had decided the slot before its time, and it is decided again.';
      return { ground: 'clock-was-wrong', reason, delayMs };
    }
    const within = this.breakAt(slotAt);
    return within
      ? { ground: 'no-scheduler', reason: nobodyLooked(within), delayMs }
      : { ground: 'decided-late', reason: lookedInVain(delayMs), delayMs };
  }

  /** Why a slot has no backup, and gets none any more. @param inItsPlace the later slot that is made up for */
  whyMissed(
    slotAt: Date,
    now: Date,
    { inItsPlace, catchUpMs }: { inItsPlace: Date | undefined; catchUpMs: number },
  ): string {
    const delayMs = now.getTime() - slotAt.getTime();
    const within = this.breakAt(slotAt);
    const late = within ? nobodyLooked(within) : lookedInVain(delayMs);
    const then = inItsPlace
      ? `Only the newest slot is made up for, which is that of ${toSecond(inItsPlace)}.`
      : `It was found ${toMinutes(delayMs)} min late, and a slot is made up for within ${toMinutes(catchUpMs)} min (STRONGROOM_CATCH_UP_MINUTES).`;
    return `${late} ${then}`;
  }

  private breakAt(slotAt: Date): Break | undefined {
    const within = this.last;
    return within && slotAt <= within.to && (!within.from || slotAt > within.from) ? within : undefined;
  }
}

function nobodyLooked({ from, to }: Break): string {
  return from
    ? `No scheduler looked for slots from ${toSecond(from)} to ${toSecond(to)}: none ran, or none reached the ledger's database.`
    : `No scheduler is known to have looked for slots before ${toSecond(to)}.`;
}

function lookedInVain(delayMs: number): string {
  return `Schedulers looked for slots, and yet decided this one ${toMinutes(delayMs)} min late: too many were due at once, its timer was missing, or its history could not be read.`;
}

function latest(some: Date | undefined, other: Date | undefined): Date | undefined {
  return !some || (other && other > some) ? other : some;
}

function toMinutes(ms: number): number {
  return Math.round(ms / 60_000);
}

function toSecond(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

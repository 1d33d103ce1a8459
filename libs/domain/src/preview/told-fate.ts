/** What becomes of a backup, in words; and what keeps the bytes of one that is deleted. */
import type { DeletionRules } from '../deletion-delay.js';
import type { Fate } from './projection.js';

/** @param cycles how many cycles the schedule keeps */
export function whyFate(fate: Fate, cycles: number): string {
  if (fate.is === 'kept') return fate.reason;
  const when = fate.slotAt
    ? `when the backup of the slot of ${fate.slotAt.toISOString()} is completed and copied`
    : 'as soon as what is under way now is completed';
  switch (fate.ground) {
    case 'replaced':
      return `The schedule keeps ${cycles === 1 ? 'one cycle' : `${cycles} cycles`}. Newer ones replace it ${when}.`;
    case 'schedule-changed':
      return `Newer cycles have replaced it by then, but what the schedule asked for until lately has counted too. It goes ${when}.`;
    case 'deletion-failed':
      return `It was to be deleted before, and that has failed. Its deletion is asked for again ${when}.`;
  }
}

/** What keeps the bytes of a deleted backup, or of what is deleted with it, for longest. */
export function bytesKeptBy(
  fate: Fate,
  { delayMs }: DeletionRules,
): 'minimum-retention' | 'deletion-delay' | undefined {
  if (fate.is === 'kept') return undefined;
  if (fate.bytesGoAt.getTime() > fate.at.getTime() + delayMs) return 'minimum-retention';
  return delayMs > 0 ? 'deletion-delay' : undefined;
}

/** Whether a backup fares otherwise by the one than by the other: only what is done counts, and not why. */
export function differs(some: Fate, other: Fate): boolean {
  if (some.is === 'kept' || other.is === 'kept') return some.is !== other.is;
  return some.at.getTime() !== other.at.getTime() || some.bytesGoAt.getTime() !== other.bytesGoAt.getTime();
}

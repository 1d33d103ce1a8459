/**
 * What the ledger says of something that a region's vault holds: whether it is kept and where it lies, is in somebody's
 * hand, or has ended there. Whatever is not known is nobody's to remove.
 */
import type { RecordedEvent } from '@strongroom/contracts';
import { backupDecider } from './backup.js';
import { copyDecider } from './copy.js';
import { fold } from './decider.js';
import { attemptsByRegion } from './regions.js';

export type HeldVerdict =
  /** The ledger has never heard of it, or not in this region. */
  | { is: 'unknown' }
  /** An attempt or a deletion may be at it. */
  | { is: 'in-hand' }
  /** Completed; no attempt will ever begin again. */
  | { is: 'kept'; attempt: number; location: string }
  /** Nothing of it is to stay. @property forGood no attempt will ever begin again */
  | { is: 'ended'; attempt: number; forGood: boolean };

export interface HeldHistories {
  region: string;
  /** The stream of the backup. */
  backup: readonly RecordedEvent[];
  /** The stream of its copy to the region. */
  copy: readonly RecordedEvent[];
}

const inHand: HeldVerdict = { is: 'in-hand' };

export function verdictOn({ region, backup: ofBackup, copy: ofCopy }: HeldHistories): HeldVerdict {
  const backup = fold(backupDecider, ofBackup);
  const copy = fold(copyDecider, ofCopy);
  if (backup.is === 'absent' || backup.is === 'passed') return { is: 'unknown' };
  const attempted = attemptsByRegion(ofBackup).get(region) ?? 0;
  const attempt = attempted + (copy.is === 'absent' ? 0 : copy.attempt);
  if (backup.is === 'deleted' || backup.is === 'failed') {
    return { is: 'ended', attempt: Math.max(backup.attempt, attempt), forGood: true };
  }
  if (backup.is !== 'completed') return inHand;
  const isHome = backup.completed.region === region;
  if (copy.is === 'absent') {
    if (isHome) return { is: 'kept', attempt: backup.attempt, location: backup.completed.location };
    // An attempt had begun there when another region was the home region.
    return attempted > 0 ? { is: 'ended', attempt: attempted, forGood: false } : { is: 'unknown' };
  }
  const completed = ofCopy.findLast(isCopyCompleted);
  if (copy.is === 'completed') {
    return completed ? { is: 'kept', attempt, location: completed.data.location } : inHand;
  }
  // What was whole once and could not be put back may be the best that there is left.
  if (isHome || (completed && copy.is === 'failed')) return inHand;
  if (copy.is === 'failed' || copy.is === 'deleted') {
    return { is: 'ended', attempt, forGood: copy.is === 'deleted' };
  }
  return inHand;
}

function isCopyCompleted(event: RecordedEvent): event is RecordedEvent<'CopyCompleted'> {
  return event.type === 'CopyCompleted';
}

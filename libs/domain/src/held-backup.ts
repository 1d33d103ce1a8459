/**
 * What the ledger says of a backup that a region's vault holds: whether it is kept and where, whether an attempt may be
 * working on it, or whether it has ended there. What the ledger does not know must not be removed.
 */
import type { RecordedEvent } from '@strongroom/contracts';
import { backupDecider } from './backup.js';
import { isCopyCompletion } from './completions.js';
import { copyDecider } from './copy.js';
import { fold } from './decider.js';
import { attemptsByRegion } from './regions.js';

export type HeldVerdict =
  /** The ledger does not know the backup, or not in this region. */
  | { is: 'unknown' }
  /** An attempt or a deletion may be working on it. */
  | { is: 'in-hand' }
  /** It is completed, and no attempt will ever begin again. */
  | { is: 'kept'; attempt: number; location: string }
  /** Nothing of it is to stay. @property forGood whether no attempt will ever begin again */
  | { is: 'ended'; attempt: number; forGood: boolean };

export interface HeldHistories {
  region: string;
  /** The events of the backup. */
  backup: readonly RecordedEvent[];
  /** The events of its copy to the region. */
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
    // An attempt began there when this region was the home region.
    return attempted > 0 ? { is: 'ended', attempt: attempted, forGood: false } : { is: 'unknown' };
  }
  const completed = ofCopy.findLast(isCopyCompletion);
  if (copy.is === 'completed') {
    return completed ? { is: 'kept', attempt, location: completed.data.location } : inHand;
  }
  // A copy that was whole once and could not be put back may still be the best that is left.
  if (isHome || (completed && copy.is === 'failed')) return inHand;
  if (copy.is === 'failed' || copy.is === 'deleted') {
    return { is: 'ended', attempt, forGood: copy.is === 'deleted' };
  }
  return inHand;
}

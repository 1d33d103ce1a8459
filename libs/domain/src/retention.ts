/**
 * Which of a schedule's full backups have had their time. Only a newer one that is proven takes the place of an older:
 * as long as the newest is not in every region where it is owed nothing goes, and failing runs take nothing with them.
 */

export interface FullOfSchedule {
  backupId: string;
  /** `completed` has been read back and matched; `delete-failed` was to go already, and is not to be relied on. */
  is: 'completed' | 'delete-failed';
  /** Whether every region that is owed a copy has one, read back and matched. */
  isCopied: boolean;
}

/**
 * @param fulls those that the vaults hold, newest first; runs that failed or are not over are none
 * @param retention how many are kept at least, each completed and copied
 * @returns the ids of those to delete with everything made from them, oldest first
 */
export function beyondRetention(fulls: readonly FullOfSchedule[], retention: number): string[] {
  const newest = fulls.find(({ is }) => is === 'completed');
  if (!newest?.isCopied) return [];
  const goes: string[] = [];
  let kept = 0;
  for (const { backupId, is, isCopied } of fulls) {
    if (is === 'delete-failed' || kept >= retention) goes.push(backupId);
    else if (isCopied) kept += 1;
  }
  return kept >= retention ? goes.reverse() : [];
}

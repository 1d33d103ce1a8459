/** How late a backup may be: for how long it is tried again, or waits for its home region. */
import { type BackupState, leftOfWindow } from '@strongroom/domain';
import type { LeasedLedger } from '@strongroom/ledger';
import type { SkippedSlots } from './skipped-slots.js';

type OpenBackup = Extract<BackupState, { is: 'requested' | 'running' }> & { backupId: string };

/** Somebody waits for a backup that a client has asked for, and can ask again. So it fails sooner than one of a slot. */
const longestForClientsMs = 900_000;

/**
 * What is left, in milliseconds. A backup that a client has asked for makes up for a slot that was skipped because of it: the slot's own
 * backup would have been tried for longer.
 * @param attemptMs how long the attempt took; or, when none was begun (not `isTried`), how long the backup has waited for its region
 */
export async function leftOfLateness(
  backup: OpenBackup,
  { attemptMs, now, isTried }: { attemptMs: number; now: Date; isTried: boolean },
  { retryWindowMs, skipped }: { retryWindowMs: number; skipped: Pick<SkippedSlots, 'newestFor'> },
  ledger: LeasedLedger,
): Promise<number> {
  const { trigger } = backup.request;
  const windowMs = trigger === 'slot' ? retryWindowMs : Math.min(retryWindowMs, longestForClientsMs);
  const isUntried = !isTried && !backup.retries;
  const leftMs = isUntried ? windowMs - attemptMs : leftOfWindow(backup.retries, attemptMs, windowMs);
  if (leftMs > 0 || trigger === 'slot' || retryWindowMs === 0) return leftMs;
  const newest = await ledger.outlast('looking for slots that were skipped', () =>
    skipped.newestFor(backup.accountId, { ...backup.request, backupId: backup.backupId }),
  );
  return newest ? newest.getTime() + retryWindowMs - now.getTime() : leftMs;
}

/** Tells why an attempt at a backup is begun later than it should be, as far as the backup's own events show it. */
import type { BackupState, Delay } from '@strongroom/domain';
import { messageOfOutage, type RegionOutage, shownName } from '@strongroom/runtime';

type OpenBackup = Extract<BackupState, { is: 'requested' | 'running' }>;

/** A delay that is shorter than this one is not worth telling. */
const shortestMs = 60_000;

/**
 * @param askedAt when the backup was asked for
 * @param waitedFor the outage of the home region that it has waited for, as far as that is known
 */
export function delayOf(
  { attempt, begun, retries }: OpenBackup,
  { askedAt, waitedFor }: { askedAt: string; waitedFor?: RegionOutage | undefined },
  now: Date,
): Delay | undefined {
  if (waitedFor)
    return {
      ground: 'home-away',
      reason: `${messageOfOutage(waitedFor)} It is back.`,
      delayMs: sinceMs(retries?.last.retryAt ?? askedAt, now),
    };
  if (!begun) return waited(askedAt, 'it was asked for', now);
  if (retries?.last.attempt === attempt) return waited(retries.last.retryAt, 'the next attempt was due', now);
  return {
    ground: 'attempt-lost',
    reason: `Attempt ${attempt}, which ${shownName(begun.runner)} began at ${begun.at}, has no outcome: its process was lost or stopped.`,
    delayMs: sinceMs(begun.at, now),
  };
}

function waited(since: string, what: string, now: Date): Delay | undefined {
  const delayMs = sinceMs(since, now);
  if (delayMs < shortestMs) return undefined;
  const minutes = Math.floor(delayMs / 60_000);
  return {
    ground: 'no-runner-free',
    reason: `No scheduler began the backup for ${minutes} min after ${what}: none ran, or none could reach the ledger's database, or all were busy with other backups (STRONGROOM_BACKUP_CONCURRENCY).`,
    delayMs,
  };
}

function sinceMs(at: string, now: Date): number {
  return Math.max(0, now.getTime() - Date.parse(at));
}

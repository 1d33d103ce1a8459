/** What is said of a backup that has not ended, to a client that it holds up and of a slot that it holds up. */
import { type BackupRetries, triedAgain } from './backup-retries.js';
import type { BackupState } from './backup-state.js';

/** What a backup that has not ended does now, as a sentence. */
export function whatItDoes(backupId: string, state: BackupState): string {
  const retries = retriesWaitedFor(state);
  return retries ? `Backup ${backupId} ${triedAgain(retries)}` : `Backup ${backupId} is still running.`;
}

/** Why a slot has no backup of its own, when this backup of its instance has not ended. @param state undefined: not known */
export function whySkipped(backupId: string, state: BackupState | undefined): string {
  const subject = `Backup ${backupId} of the instance`;
  const retries = state && retriesWaitedFor(state);
  if (retries) return `${subject} had not ended: it ${triedAgain(retries)}`;
  if (state?.is === 'requested') return `${subject} had been asked for, and had not begun yet.`;
  const since =
    state?.is === 'running' && state.begun ? ` Its attempt ${state.attempt} began at ${state.begun.at}.` : '';
  return `${subject} was still running.${since}`;
}

/** What the failed attempts of a backup left that waits for its next one; undefined when a runner is at it, or never was. */
export function retriesWaitedFor(state: BackupState): BackupRetries | undefined {
  const isOpen = state.is === 'requested' || state.is === 'running';
  return isOpen && state.retries?.last.attempt === state.attempt ? state.retries : undefined;
}

/** Whether a backup has completed, so that something can be done with it: it is copied, restored, or built on. */
import { type Refusal, refuse } from '@strongroom/contracts';
import { type BackupState, type CompletedBackup, isRequested } from './backup-state.js';

/**
 * Why no incremental of an instance can be built on a backup; undefined when one can.
 * @param wanted its account is left out where it is known to be the right one
 */
export function whyNotBuiltOn(
  { parentId, instanceId, ...account }: { parentId: string; instanceId: string; accountId?: string },
  parent: BackupState = { is: 'absent' },
): Refusal | undefined {
  const found = completedBackup({ backupId: parentId, ...account, otherwise: 'nothing can be built on it' }, parent);
  if ('request' in found && found.request.instanceId !== instanceId) {
    return refuse(
      'backup-not-completed',
      `Backup ${parentId} is of another instance: nothing can be built on it here.`,
    );
  }
  return 'refused' in found ? found : undefined;
}

function backupUnknown(backupId: string): Refusal {
  return refuse('backup-unknown', `Backup ${backupId} was not found in this account.`);
}

interface WantedBackup {
  backupId: string;
  /** To any other account the backup is unknown. Default: its account is known to be the right one. */
  accountId?: string;
  /** What can't be done with a backup that has not completed: the end of the refusal's sentence. */
  otherwise: string;
}

/** The completed backup, or the refusal of one that can't be used. */
export function completedBackup(
  { backupId, accountId, otherwise }: WantedBackup,
  state: BackupState,
): CompletedBackup | Refusal {
  if (!isRequested(state)) return backupUnknown(backupId);
  if (state.is === 'marked' || state.is === 'deleting' || state.is === 'deleted') return backupUnknown(backupId);
  if (accountId !== undefined && state.accountId !== accountId) return backupUnknown(backupId);
  if (state.is === 'completed') return state;
  const [refused, why] = notCompleted[state.is];
  return refuse(refused, `Backup ${backupId} ${why}: ${otherwise}.`);
}

const notCompleted = {
  requested: ['backup-not-yet-completed', 'has not begun'],
  running: ['backup-not-yet-completed', 'is still running'],
  failed: ['backup-not-completed', 'has failed'],
  'delete-failed': ['backup-not-completed', 'may be deleted in part'],
} as const;

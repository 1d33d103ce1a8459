/** The state of a backup, as its events tell it. */
import type { ActorDetails, EventData } from '@strongroom/contracts';
import type { BackupRetries } from './backup-retries.js';

export type BackupState =
  | { is: 'absent' }
  | { is: 'passed'; outcome: 'skipped' | 'missed' }
  | ({ is: 'requested' | 'running' } & Work)
  | ({ is: 'completed' } & Work & CompletedBackup)
  | ({ is: 'marked'; marked: Mark } & Work)
  | ({ is: 'failed' | 'deleting' | 'delete-failed' | 'deleted' } & Work);

/** That a backup is deleted and its bytes are still there. */
export interface Mark extends Pick<EventData<'BackupDeletionMarked'>, 'trigger' | 'rootId' | 'purgeAt'> {
  /** The actor that deleted it, and who that is; a deletion by an older version has the name alone. */
  by: string;
  byDetails?: ActorDetails;
  /** The second person that has approved it; undefined before that. */
  approvedBy?: string;
}

interface Work {
  accountId: string;
  /** The number of the newest attempt; 0 before the first. */
  attempt: number;
  request: EventData<'BackupRequested'>;
  /** Why the backup is full though an incremental was planned. */
  madeFull?: MadeFull;
  /** The lineage that the backup is a state of, once that is known. */
  lineage?: string;
  /** What its failed attempts left, once there are any. */
  retries?: BackupRetries;
  /** The newest attempt's beginning; undefined before the first. */
  begun?: { at: string; runner: string };
  /** The event of its completion, once it has completed. */
  completed?: EventData<'BackupCompleted'>;
  /** Why it is not deleted, as was told last; undefined when nobody wants it gone. */
  putOff?: PutOff;
  /** Why nobody may delete it; undefined when it is not on hold. */
  hold?: { reason: string };
}

/** Why a backup that should be gone is still there. */
export type PutOff = Pick<EventData<'BackupDeletionPutOff'>, 'ground' | 'reason' | 'waitsFor'>;

/** Why a backup is full though an incremental was planned. */
export type MadeFull = Pick<EventData<'BackupMadeFull'>, 'ground' | 'reason'>;

/** Why a backup is begun later than it should be. */
export type Delay = Pick<EventData<'BackupDelayed'>, 'ground' | 'reason' | 'delayMs'>;

/** The lineage of a backup, and whether it is another one than that of the backup before. */
export interface BackupIdentity extends Pick<EventData<'BackupIdentified'>, 'lineage' | 'facts'> {
  another?: Pick<EventData<'AnotherServerFound'>, 'formerLineage' | 'formerBackupId' | 'reason'> | undefined;
}

export type Requested = Exclude<BackupState, { is: 'absent' | 'passed' }>;

/** A backup that has completed: its request, and the event of its completion. */
export interface CompletedBackup {
  request: EventData<'BackupRequested'>;
  completed: EventData<'BackupCompleted'>;
}

export function isRequested(state: BackupState): state is Requested {
  return state.is !== 'absent' && state.is !== 'passed';
}

export function isOpen(state: BackupState): boolean {
  return state.is === 'requested' || state.is === 'running';
}

export function requested(state: BackupState): Requested {
  if (!isRequested(state)) throw new TypeError('a backup that was never requested cannot move on');
  return state;
}

/**
 * The work that events ask for: the one place that says which event asks for which kind of job. The ledger adds these jobs in
 * the transaction that records the event, and the handlers of the event find them there later.
 */
import { type EventType, type NewEvent, type PerEvent, perEvent } from '@strongroom/contracts';

/** A job that an event asks for. Within a kind its id is a UUID of what the work is about; asking twice asks once. */
export interface AskedJob {
  id: string;
  /** What the work contends for. Default: the one lane `''`. */
  lane?: string;
  /** How many bytes there are to do, where that is known. */
  totalBytes?: number;
}

/** By type of event, the job that it asks for; undefined when this one asks for none. */
export type AskedBy = PerEvent<AskedJob | undefined>;

export const askedWork = {
  backup: { BackupRequested: ({ backupId }) => ({ id: backupId }) },
  // The removal of a deleted backup waits for its time. The same job removes what is built on the backup.
  purge: {
    BackupDeletionMarked: ({ backupId, rootId }) => (backupId === rootId ? { id: backupId } : undefined),
    BackupDeletionApproved: ({ backupId, rootId }) => (backupId === rootId ? { id: backupId } : undefined),
  },
  deletion: {
    // The same job deletes what is built on the backup.
    BackupDeletionRequested: ({ backupId, trigger }) => (trigger === 'cascade' ? undefined : { id: backupId }),
  },
  'chain-end': {
    BackupFailed: ({ backupId }) => ({ id: backupId }),
    // Nothing is built on a deleted backup any more. Its server need not keep anything until the bytes go.
    BackupDeletionMarked: ({ backupId }) => ({ id: backupId }),
    BackupDeleted: ({ backupId }) => ({ id: backupId }),
  },
  retention: {
    BackupCompleted: ({ backupId }) => ({ id: backupId }),
    CopyCompleted: ({ backupId }) => ({ id: backupId }),
  },
  // What keeps a backup may be gone with these, or be another. Nothing is deleted because of them. The id is an instance's, or
  // that of one of its backups.
  'retention-reasons': {
    BackupFailed: ({ instanceId }) => ({ id: instanceId }),
    BackupDeletionMarked: ({ backupId, instanceId, rootId, trigger }) =>
      trigger === 'request' && backupId === rootId ? { id: instanceId } : undefined,
    BackupDeletionReverted: ({ instanceId }) => ({ id: instanceId }),
    BackupHeld: ({ instanceId }) => ({ id: instanceId }),
    BackupHoldLifted: ({ instanceId }) => ({ id: instanceId }),
    BackupDeletionRequested: ({ instanceId, trigger }) => (trigger === 'request' ? { id: instanceId } : undefined),
    BackupDeletionFailed: ({ instanceId }) => ({ id: instanceId }),
    CopyLost: ({ instanceId }) => ({ id: instanceId }),
    CopyStranded: ({ backupId }) => ({ id: backupId }),
    ScheduleUpdated: ({ instanceId }) => ({ id: instanceId }),
    ScheduleDeleted: ({ instanceId }) => ({ id: instanceId }),
    LineageAccepted: ({ instanceId }) => ({ id: instanceId }),
  },
  instance: {
    InstanceBuildRequested: ({ instanceId }) => ({ id: instanceId }),
    // The job that keeps the server running removes it.
    InstanceForgotten: ({ instanceId }) => ({ id: instanceId }),
  },
  plan: {
    BackupCompleted: ({ backupId }) => ({ id: backupId }),
    // It may have been deleted before its copies were planned.
    BackupDeletionReverted: ({ backupId }) => ({ id: backupId }),
  },
  copy: {
    CopyRequested: ({ copyId, region, sizeBytes }) => ({ id: copyId, lane: region, totalBytes: sizeBytes }),
    CopyLost: ({ copyId, region, sizeBytes }) => ({ id: copyId, lane: region, totalBytes: sizeBytes }),
    CopyCheckRequested: ({ copyId, region }) => ({ id: copyId, lane: region }),
  },
} satisfies Record<string, AskedBy>;

/** The jobs that an event asks for, each with its kind. */
export function workAskedBy<T extends EventType>(event: NewEvent<T>): (AskedJob & { kind: string })[] {
  return Object.entries<AskedBy>(askedWork).flatMap(([kind, askedBy]) => {
    const job = perEvent(askedBy, event);
    return job ? [{ kind, ...job }] : [];
  });
}

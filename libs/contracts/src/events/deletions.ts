/** The events of a backup's deletion, and of what keeps it from being deleted. */
import { z } from 'zod';
import { instant, uuid } from '../primitives.js';
import { ground, reason } from './forms.js';

export const deletionEvents = {
  /**
   * Somebody has deleted the backup, or retention has: it is shown to nobody any more. Its bytes stay until `purgeAt` at
   * least, and until then the deletion can be reverted. Who did it is the actor of the event.
   */
  BackupDeletionMarked: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    trigger: z.enum(['request', 'retention']),
    /** The backup that was deleted; another one than this when this one went with it, because it is built on it. */
    rootId: uuid,
    purgeAt: instant,
  }),
  /** The backup is there again as it was before it was deleted. */
  BackupDeletionReverted: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    rootId: uuid,
  }),
  /** A second person, who is the actor of the event, agrees that the bytes of a deleted backup go. */
  BackupDeletionApproved: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    rootId: uuid,
  }),
  /** Nobody can delete the backup as long as it is held, and retention can't either. What it is built on stays with it. */
  BackupHeld: z.strictObject({ backupId: uuid, instanceId: uuid, scheduleId: uuid.nullable(), reason }),
  /** The hold was lifted: the backup can be deleted again. */
  BackupHoldLifted: z.strictObject({ backupId: uuid, instanceId: uuid, scheduleId: uuid.nullable() }),

  /** The backup is to be removed from every vault, either alone or together with its parent. This can't be reverted. */
  BackupDeletionRequested: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    trigger: z.enum(['request', 'retention', 'cascade']),
  }),
  /** No vault holds anything of the backup any more. */
  BackupDeleted: z.strictObject({ backupId: uuid, instanceId: uuid, scheduleId: uuid.nullable() }),
  /** Something of the backup could not be removed. What is left may be damaged. The deletion can be asked for again. */
  BackupDeletionFailed: z.strictObject({ backupId: uuid, instanceId: uuid, code: z.string().min(1), reason }),

  /**
   * The backup should be gone and is not. It is told again when the reason is another one. The next `BackupDeletionRequested` or
   * `BackupDeletionCalledOff` of the backup ends it.
   */
  BackupDeletionPutOff: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    /** A code for programs; the reason is for people. */
    ground,
    reason,
    /** The backups that it waits for. */
    waitsFor: z.array(uuid),
  }),
  /** The backup whose deletion was put off is to stay after all. */
  BackupDeletionCalledOff: z.strictObject({ backupId: uuid, instanceId: uuid, scheduleId: uuid.nullable() }),
} as const;

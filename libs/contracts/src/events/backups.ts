/** The events of backups, from their request to their end, and of slots that no backup came of. */
import { z } from 'zod';
import {
  backupType,
  byteCount,
  datastore,
  datastoreType,
  instant,
  regionName,
  sha256Hex,
  uuid,
} from '../primitives.js';
import { copyTo } from '../schedule-timing.js';
import { engineFacts } from '../vault-manifest.js';
import { attempt, ground, reason } from './forms.js';

/**
 * What a tested restore has shown. `tables-read`: a server started on what was restored, and every table was read. `files-compared`: every file
 * was compared with the manifest, and no server was started.
 */
export const restoreProof = z.enum(['tables-read', 'files-compared']);
export type RestoreProof = z.infer<typeof restoreProof>;

export const backupEvents = {
  /** A slot was due and no backup was begun, for the given reason. This is the outcome of the slot instead of a backup. */
  SlotSkipped: z.strictObject({ scheduleId: uuid, instanceId: uuid, slotAt: instant, reason }),
  /** A slot passed while no scheduler ran, and it is too late now. This is the outcome of the slot instead of a backup. */
  SlotMissed: z.strictObject({ scheduleId: uuid, instanceId: uuid, slotAt: instant, reason }),

  /** A backup is to be taken: for a slot of a schedule, or because somebody asked for it. */
  BackupRequested: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    /** Null for a backup that a client asked for apart from a schedule. */
    scheduleId: uuid.nullable(),
    /** The nominal time of the slot; null unless the trigger is `slot`. */
    slotAt: instant.nullable(),
    trigger: z.enum(['slot', 'run-now', 'request']),
    type: backupType,
    parentId: uuid.nullable(),
    name: z.string().min(1).max(64),
    description: z.string().max(1_000).nullable(),
    datastore,
    copyTo,
  }),
  /** A runner has leased the backup. A higher attempt means that the one before it failed, or that its runner was lost. */
  BackupStarted: z.strictObject({ backupId: uuid, attempt, region: regionName, runner: z.string().min(1) }),
  /** The attempt failed in a way that passes. Another one follows at `retryAt`, and further ones until `retryUntil`. */
  BackupAttemptFailed: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    attempt,
    code: z.string().min(1),
    reason,
    retryAt: instant,
    retryUntil: instant,
  }),
  /** The backup is begun, or begun again, later than it should be. */
  BackupDelayed: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    /** A code for programs; the reason is for people. */
    ground,
    reason,
    delayMs: z.int().nonnegative(),
  }),
  /** An incremental was planned or asked for, and the backup is full, or will be. */
  BackupMadeFull: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    /** The backup that it was to be built on; null when there was none. */
    plannedParentId: uuid.nullable(),
    /** A code for programs; the reason is for people. */
    ground,
    reason,
  }),
  /**
   * The lineage of a backup, which is named by its first backup. The event is recorded with the completion, or later for a
   * backup that completed before lineages were recorded.
   */
  BackupIdentified: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    lineage: uuid,
    /** The engine tells by these whether another backup is a later state of the same server; null when they are not kept. */
    facts: engineFacts.nullable(),
  }),
  /**
   * The version of the server that the backup was taken of, when it is another one than was known when it was requested. Where
   * the facts of `BackupIdentified` have a `serverVersion`, they tell it alone.
   */
  BackupVersionFound: z.strictObject({ backupId: uuid, instanceId: uuid, scheduleId: uuid.nullable(), datastore }),
  /** The backup is encrypted: for those keys, by the names that the operator has given them. It is recorded with the completion. */
  BackupEncrypted: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    encryptedFor: z.array(z.string()).min(1),
  }),
  /** The backup is of another server than the backup before it, or not of a later state of the same server. */
  AnotherServerFound: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    lineage: uuid,
    formerLineage: uuid,
    /** The newest backup of the former lineage. */
    formerBackupId: uuid,
    reason,
  }),
  /** The whole backup is in the vault of the home region, and its bytes were read back and matched. */
  BackupCompleted: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    type: backupType,
    parentId: uuid.nullable(),
    attempt,
    /** The home region, whose vault holds the backup. */
    region: regionName,
    /** The place in the vault: a path or a prefix of keys that the vault understands. */
    location: z.string().min(1),
    /** The number of bytes stored in the vault, after compression. */
    sizeBytes: byteCount,
    /** The number of bytes that the server sent, before compression. */
    rawBytes: byteCount,
    /** The SHA-256 of the manifest, which names the SHA-256 of every object: one digest proves the whole backup. */
    sha256: sha256Hex,
    copyTo,
    startedAt: instant,
  }),
  /** There will be no backup: its time is used up, or no other attempt can help. */
  BackupFailed: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    attempt: z.int().min(0),
    code: z.string().min(1),
    reason,
  }),

  /**
   * A backup that the ledger did not know was found whole in the vault of a region, by its manifest: the ledger was lost, or another
   * deployment made the backup. Nobody has read its bytes for that. From now on it is a backup like any other. It is owed to no region,
   * and retention never deletes it, because no schedule made it.
   */
  BackupCatalogued: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    /** Null: a manifest does not tell which schedule made a backup. */
    scheduleId: uuid.nullable(),
    /** The name of the instance; null while the backup is encrypted and nobody has opened it. */
    instanceName: z.string().min(1).max(255).nullable(),
    type: backupType,
    parentId: uuid.nullable(),
    name: z.string().min(1).max(64),
    /** The version is null while the backup is encrypted and nobody has opened it. */
    datastore: z.strictObject({ type: datastoreType, version: datastore.shape.version.nullable() }),
    /** The region where it was found. It counts as the one where the backup was made. */
    region: regionName,
    /** The place in the vault: a path or a prefix of keys that the vault understands. */
    location: z.string().min(1),
    /** The number of the newest attempt that the vault knows. */
    attempt,
    /** The number of bytes stored in the vault, after compression. */
    sizeBytes: byteCount,
    /** The number of bytes that the server sent, before compression. */
    rawBytes: byteCount,
    /** The SHA-256 of the manifest, which names the SHA-256 of every object: one digest proves the whole backup. */
    sha256: sha256Hex,
    startedAt: instant,
    completedAt: instant,
    /** Whose keys open it, as its keys say; null when it is not encrypted. */
    encryptedFor: z.array(z.string()).nullable(),
    /** What the engine tells of the server; null when nobody has opened the backup, and when they are not kept. */
    facts: engineFacts.nullable(),
  }),

  /**
   * The actor of the event says that the backup was restored from the region, with everything that it is built on. The test ended
   * when it was told.
   */
  RestoreTested: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    region: regionName,
    /** How long it took, rounded up. */
    seconds: z.int().nonnegative(),
    proof: restoreProof,
  }),
  /** The actor of the event says that a restore of the backup from the region was tried and has failed. */
  RestoreTestFailed: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    region: regionName,
    /** After which time it failed, rounded up. */
    seconds: z.int().nonnegative(),
    code: z.string().min(1),
    reason,
  }),
} as const;

/**
 * Every event that Strongroom records. Each has one schema, which gives its type, its parser and its documentation.
 *
 * Events are facts in the past tense. A released event is frozen by `events.lock.json`: adding is free, changing is not. An
 * event holds its whole fact, so that a subscriber needs no further request.
 */
import { z } from 'zod';
import { backupType, byteCount, datastore, instant, regionName, sha256Hex, uuid } from './primitives.js';
import { copyTo, dayOfWeek, fullBackupRetention, hour, minute } from './schedule-timing.js';
import { engineFacts } from './vault-manifest.js';

const scheduleDefinition = {
  dayOfWeek,
  hour,
  minute,
  fullBackupRetention,
  copyTo,
  paused: z.boolean(),
};

/** How an event is written for who receives it: `event` is the event as the API shows it, and the others are messages for people. */
export const webhookFormat = z.enum(['event', 'slack', 'teams', 'ntfy', 'email']);
export type WebhookFormat = z.infer<typeof webhookFormat>;

const webhookDefinition = {
  name: z.string().min(1).max(255),
  /** The scheme, host and port of its URL. The rest of a URL may be a secret, which no event holds. */
  origin: z.string().min(1).max(300),
  /** The types of events that are sent; empty for those that the format has by default. */
  types: z.array(z.string().min(1).max(64)),
  format: webhookFormat,
  enabled: z.boolean(),
  /** Names what is sealed of it: its URL and its secrets. */
  secretId: uuid,
};

/**
 * What a tested restore has shown. `tables-read`: a server started on what was restored, and every table was read. `files-compared`: every file
 * was compared with the manifest, and no server was started.
 */
export const restoreProof = z.enum(['tables-read', 'files-compared']);
export type RestoreProof = z.infer<typeof restoreProof>;

const reason = z.string().min(1).max(2_000);
const ground = z.string().min(1).max(64);
const attempt = z.int().min(1);

/** Where and how a database server is reached. The password is not here, because no event holds a credential. */
export const endpoint = z.strictObject({
  host: z.string().min(1).max(255),
  port: z.int().min(1).max(65_535),
  user: z.string().min(1).max(63),
  database: z.string().min(1).max(63),
  tls: z.enum(['disable', 'require', 'verify-full', 'verify-ca']),
});

/** One certificate or more, as text. Certificates are public; no event holds a key. */
const certificates = z.string().min(1).max(65_536);

/** An endpoint, and the certificates of its TLS connections. */
export const securedEndpoint = endpoint.extend({
  /** The authorities that must have signed the server's certificate; null: those that the process trusts. */
  caCertificate: certificates.nullable(),
  /** What Strongroom shows to the server; null: nothing. Its key is a part of the sealed credential. */
  clientCertificate: certificates.nullable(),
});
/** How a server is reached. Without certificates, an endpoint is as older versions know it. */
export type Endpoint = z.infer<typeof endpoint> & Partial<z.infer<typeof securedEndpoint>>;

export const eventSchemas = {
  /** A database server was registered with an account. */
  InstanceRegistered: z.strictObject({ instanceId: uuid, name: z.string().min(1).max(255), datastore, endpoint }),
  /** A new server is to be built from a backup. */
  InstanceBuildRequested: z.strictObject({
    instanceId: uuid,
    name: z.string().min(1).max(255),
    datastore,
    backupId: uuid,
  }),
  /** The server runs. From now on it is an instance like any other. */
  InstanceBuilt: z.strictObject({
    instanceId: uuid,
    name: z.string().min(1).max(255),
    datastore,
    backupId: uuid,
    /** The region that the backup was restored from. */
    region: regionName,
    endpoint,
  }),
  /** The server could not be built, and is not tried again. The reason is a sentence, and the code is for programs. */
  InstanceBuildFailed: z.strictObject({ instanceId: uuid, backupId: uuid, code: z.string().min(1), reason }),
  /** The server could not be built now, and it is tried again at `retryAt`. */
  InstanceBuildAttemptFailed: z.strictObject({
    instanceId: uuid,
    backupId: uuid,
    code: z.string().min(1),
    reason,
    retryAt: instant,
  }),
  /** A built server does not run, and is started again and again. */
  InstanceServerDown: z.strictObject({ instanceId: uuid, code: z.string().min(1), reason }),
  /** A built server that was down runs again. */
  InstanceServerUp: z.strictObject({ instanceId: uuid }),
  /**
   * Holds what is in force from now on, whole. It also stands beside the registration of a server that is reached with
   * certificates.
   */
  InstanceChanged: z.strictObject({
    instanceId: uuid,
    name: z.string().min(1).max(255),
    endpoint: securedEndpoint,
    /** Names the sealed credential, which no event holds; null: the one that was stored under the instance itself. */
    credentialId: uuid.nullable(),
  }),
  /** The server behind the instance has told a version that was not known until now. */
  InstanceVersionFound: z.strictObject({ instanceId: uuid, datastore }),
  /**
   * Somebody has accepted the server of a lineage as the right one. When the lineage has as many cycles of its own as are
   * kept, retention deletes the older backups of the other lineages that are named here.
   */
  LineageAccepted: z.strictObject({ instanceId: uuid, lineage: uuid, inPlaceOf: z.array(uuid).min(1) }),
  /** The instance is not backed up any more. Its backups stay. */
  InstanceForgotten: z.strictObject({ instanceId: uuid }),

  /** A schedule was created. It fires its first slot at the next time that it names. */
  ScheduleCreated: z.strictObject({ scheduleId: uuid, instanceId: uuid, ...scheduleDefinition }),
  /** Holds the complete definition that is in force from now on. */
  ScheduleUpdated: z.strictObject({ scheduleId: uuid, instanceId: uuid, ...scheduleDefinition }),
  /** The backups that the schedule made stay. */
  ScheduleDeleted: z.strictObject({ scheduleId: uuid, instanceId: uuid }),

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

  /** A copy of a completed backup is owed to a region. */
  CopyRequested: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    instanceId: uuid,
    region: regionName,
    sourceRegion: regionName,
    parentId: uuid.nullable(),
    sizeBytes: byteCount,
    sha256: sha256Hex,
  }),
  /** An attempt at the copy has begun. */
  CopyStarted: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    replicator: z.string().min(1),
  }),
  /** The attempt failed, and another one follows at `retryAt`. */
  CopyAttemptFailed: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    code: z.string().min(1),
    reason,
    retryAt: instant,
  }),
  /** Every object of the backup is in the region, read back and matched against the backup's SHA-256. */
  CopyCompleted: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    instanceId: uuid,
    region: regionName,
    attempt,
    location: z.string().min(1),
    sizeBytes: byteCount,
    sha256: sha256Hex,
    startedAt: instant,
  }),
  /** The copy is given up, because no further attempt is likely to succeed. */
  CopyFailed: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    code: z.string().min(1),
    reason,
  }),
  /** The bytes of the attempt that completes next are from another region than the request named. */
  CopySourceChanged: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    sourceRegion: regionName,
  }),
  /** The copy can't be made, because the deployment has no vault for a region any more. It goes on when there is one again. */
  CopyStranded: z.strictObject({ copyId: uuid, backupId: uuid, region: regionName, reason }),
  /** A completed copy is to be read back once more, and made again if it is not whole. */
  CopyCheckRequested: z.strictObject({ copyId: uuid, backupId: uuid, instanceId: uuid, region: regionName }),
  /** The copy was read back as asked, and every object is what was backed up. */
  CopyChecked: z.strictObject({ copyId: uuid, backupId: uuid, region: regionName }),
  /** A completed copy was found missing or altered. The region is owed it again. */
  CopyLost: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    instanceId: uuid,
    region: regionName,
    sizeBytes: byteCount,
    code: z.string().min(1),
    reason,
  }),
  /** The copy is deleted with its backup. From now on no attempt may complete or fail it. The region may still hold it. */
  CopyDeletionRequested: z.strictObject({ copyId: uuid, backupId: uuid, instanceId: uuid, region: regionName }),
  /**
   * The copy is gone. When no `CopyDeletionRequested` comes before it, an older version has recorded it, and the region may
   * have been emptied only afterwards.
   */
  CopyDeleted: z.strictObject({ copyId: uuid, backupId: uuid, region: regionName }),

  /** From now on the account's events are sent to a URL. */
  WebhookCreated: z.strictObject({ webhookId: uuid, ...webhookDefinition }),
  /** Holds the complete definition that is in force from now on. */
  WebhookUpdated: z.strictObject({ webhookId: uuid, ...webhookDefinition }),
  /** Deliveries are signed with a new secret, and until `formerUntil` with the one before as well. */
  WebhookSecretRotated: z.strictObject({ webhookId: uuid, secretId: uuid, formerUntil: instant }),
  /**
   * Nothing is sent to the webhook any more, because nobody has taken anything there since `failingSince`. When somebody enables it
   * again, it goes on with the event at which it stopped. This says nothing of the account's backups.
   */
  WebhookDisabled: z.strictObject({ webhookId: uuid, code: z.string().min(1), reason, failingSince: instant }),
  /** The webhook is gone. Nothing is sent to it any more. */
  WebhookDeleted: z.strictObject({ webhookId: uuid }),
} as const;

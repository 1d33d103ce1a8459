/** The view of an account's backups, from request to end: its table and its fold. Its queries are in `backups.ts`. */
import {
  type BackupType,
  type DatastoreType,
  type EngineFacts,
  type EventData,
  type RecordedEvent,
  versionInFacts,
} from '@strongroom/contracts';
import { EntitySchema } from 'typeorm';
import { bigintAsNumber, changing, unchanged, type View, type ViewRow } from './view.js';

export const backupStatuses = ['NEW', 'BUILDING', 'COMPLETED', 'FAILED', 'DELETE_FAILED'] as const;
/** A backup that is `DELETING` is shown to nobody. One that is `MARKED` is deleted too, and can be brought back. */
export type BackupStatus = (typeof backupStatuses)[number] | 'MARKED' | 'DELETING';
export type ShownStatus = (typeof backupStatuses)[number];

/** Why something failed: a code from a closed list, and a sentence for people. */
export interface FaultOfRow {
  code: string;
  reason: string;
}

/** Tells that a backup is of another server than the backup before it, or not of a later state of the same server. */
export interface AnotherServerOfRow {
  formerLineage: string;
  formerBackupId: string;
  reason: string;
}

/** Why a backup is full though an incremental was planned. */
export interface MadeFullOfRow {
  plannedParentId: string | null;
  ground: string;
  reason: string;
}

/** An attempt that failed in a way that passes. The times are as the event has them. */
export interface FailedAttemptOfRow extends FaultOfRow {
  attempt: number;
  at: string;
  retryAt: string;
}

/** Why the backup was begun, or begun again, later than it should have been. */
export interface DelayOfRow {
  at: string;
  delayMs: number;
  ground: string;
  reason: string;
}

/** Why a backup that should be gone is still there. */
export interface PutOffOfRow {
  at: string;
  ground: string;
  reason: string;
  waitsFor: string[];
}

/** That a backup is deleted and its bytes are still there. */
export interface MarkOfRow {
  at: string;
  /** The actor that deleted it. */
  by: string;
  trigger: 'request' | 'retention';
  /** The backup that it was deleted with, or its own id. */
  rootId: string;
  purgeAt: string;
  /** The second person that has approved it. */
  approvedBy: string | null;
  /** Its status before it was deleted. */
  before: ShownStatus;
}

/** Why nobody may delete a backup. */
export interface HoldOfRow {
  at: string;
  by: string;
  reason: string;
}

export interface BackupRow extends ViewRow {
  instanceId: string;
  scheduleId: string | null;
  slotAt: Date | null;
  trigger: EventData<'BackupRequested'>['trigger'];
  type: BackupType;
  parentId: string | null;
  name: string;
  description: string | null;
  datastoreType: DatastoreType;
  datastoreVersion: string;
  copyTo: string[];
  status: BackupStatus;
  attempt: number;
  /** The newest of the attempts that failed in a way that passes, oldest first. */
  failedAttempts: FailedAttemptOfRow[];
  /** When the next attempt is due; null unless one is waited for. */
  retryAt: Date | null;
  /** Until when the backup is tried again; null unless an attempt is waited for. */
  retryUntil: Date | null;
  /** The newest delays, oldest first. */
  delays: DelayOfRow[];
  /** Why it is not deleted; null unless retention wants it gone, or its deletion has failed and waits for other backups. */
  putOff: PutOffOfRow | null;
  /** Null unless it is `MARKED`. */
  mark: MarkOfRow | null;
  /** Null unless it is on hold. */
  hold: HoldOfRow | null;
  /** Whether somebody brought it back after retention had deleted it: it stays until somebody deletes it. */
  isKeptByHand: boolean;
  region: string | null;
  location: string | null;
  sizeBytes: number | null;
  rawBytes: number | null;
  sha256: string | null;
  fault: FaultOfRow | null;
  madeFull: MadeFullOfRow | null;
  /** Null until the lineage is known. */
  lineage: string | null;
  /** What the engine tells of the server, by which it is recognised; null when that is not kept. */
  facts: EngineFacts | null;
  anotherServer: AnotherServerOfRow | null;
  /** Whose keys opened it when it was made; null when it is not encrypted. */
  encryptedFor: string[] | null;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  updatedAt: Date;
  /** The position of its first event. It says which backup is newest, because clocks may have been wrong. */
  position: number;
}

export const backupTable = new EntitySchema<BackupRow>({
  name: 'BackupView',
  tableName: 'backup_view',
  columns: {
    id: { type: 'uuid', primary: true },
    accountId: { type: 'text', name: 'account_id' },
    instanceId: { type: 'uuid', name: 'instance_id' },
    scheduleId: { type: 'uuid', name: 'schedule_id', nullable: true },
    slotAt: { type: 'timestamptz', name: 'slot_at', nullable: true },
    trigger: { type: 'text' },
    type: { type: 'text' },
    parentId: { type: 'uuid', name: 'parent_id', nullable: true },
    name: { type: 'text' },
    description: { type: 'text', nullable: true },
    datastoreType: { type: 'text', name: 'datastore_type' },
    datastoreVersion: { type: 'text', name: 'datastore_version' },
    copyTo: { type: 'text', array: true, name: 'copy_to' },
    status: { type: 'text' },
    attempt: { type: 'integer' },
    failedAttempts: { type: 'jsonb', name: 'failed_attempts' },
    retryAt: { type: 'timestamptz', name: 'retry_at', nullable: true },
    retryUntil: { type: 'timestamptz', name: 'retry_until', nullable: true },
    delays: { type: 'jsonb' },
    putOff: { type: 'jsonb', name: 'put_off', nullable: true },
    mark: { type: 'jsonb', nullable: true },
    hold: { type: 'jsonb', nullable: true },
    isKeptByHand: { type: 'boolean', name: 'is_kept_by_hand' },
    region: { type: 'text', nullable: true },
    location: { type: 'text', nullable: true },
    sizeBytes: { type: 'bigint', name: 'size_bytes', nullable: true, transformer: bigintAsNumber },
    rawBytes: { type: 'bigint', name: 'raw_bytes', nullable: true, transformer: bigintAsNumber },
    sha256: { type: 'text', nullable: true },
    fault: { type: 'jsonb', nullable: true },
    madeFull: { type: 'jsonb', name: 'made_full', nullable: true },
    lineage: { type: 'uuid', nullable: true },
    facts: { type: 'jsonb', nullable: true },
    anotherServer: { type: 'jsonb', name: 'another_server', nullable: true },
    encryptedFor: { type: 'jsonb', name: 'encrypted_for', nullable: true },
    createdAt: { type: 'timestamptz', name: 'created_at' },
    startedAt: { type: 'timestamptz', name: 'started_at', nullable: true },
    endedAt: { type: 'timestamptz', name: 'ended_at', nullable: true },
    updatedAt: { type: 'timestamptz', name: 'updated_at' },
    version: { type: 'integer' },
    position: { type: 'bigint', transformer: bigintAsNumber },
  },
});

const change = changing<BackupRow>();

/** Whether a backup with this status is shown to clients that ask for what is there. */
export function isShownStatus(status: BackupStatus): status is ShownStatus {
  return status !== 'MARKED' && status !== 'DELETING';
}

/** A row keeps so many failed attempts and delays; the events have them all. */
const mostKept = 20;

/** The list with one more failed attempt. */
export function withFailure(
  before: readonly FailedAttemptOfRow[],
  { at, data: { attempt, code, reason, retryAt } }: RecordedEvent<'BackupAttemptFailed'>,
): FailedAttemptOfRow[] {
  return [...before, { attempt, code, reason, at, retryAt }].slice(-mostKept);
}

/** The list with one more delay. */
export function withDelay(
  before: readonly DelayOfRow[],
  { at, data: { delayMs, ground, reason } }: RecordedEvent<'BackupDelayed'>,
): DelayOfRow[] {
  return [...before, { at, delayMs, ground, reason }].slice(-mostKept);
}

export const backupView: View<'backup', BackupRow> = {
  aggregate: 'backup',
  table: backupTable,
  fold: {
    SlotSkipped: unchanged,
    SlotMissed: unchanged,
    // Each field by its name: an object of so many that is spread out of another one costs many times as much.
    BackupRequested: (_, { accountId, at, version, position, data }) => ({
      id: data.backupId,
      accountId,
      instanceId: data.instanceId,
      scheduleId: data.scheduleId,
      slotAt: data.slotAt === null ? null : new Date(data.slotAt),
      trigger: data.trigger,
      type: data.type,
      parentId: data.parentId,
      name: data.name,
      description: data.description,
      datastoreType: data.datastore.type,
      datastoreVersion: data.datastore.version,
      copyTo: data.copyTo,
      status: 'NEW',
      attempt: 0,
      failedAttempts: [],
      retryAt: null,
      retryUntil: null,
      delays: [],
      putOff: null,
      mark: null,
      hold: null,
      isKeptByHand: false,
      region: null,
      location: null,
      sizeBytes: null,
      rawBytes: null,
      sha256: null,
      fault: null,
      madeFull: null,
      lineage: null,
      facts: null,
      anotherServer: null,
      encryptedFor: null,
      createdAt: new Date(at),
      startedAt: null,
      endedAt: null,
      updatedAt: new Date(at),
      version,
      position,
    }),
    BackupStarted: change<'BackupStarted'>(({ at, data: { attempt, region } }) => ({
      status: 'BUILDING',
      attempt,
      retryAt: null,
      region,
      startedAt: new Date(at),
    })),
    BackupAttemptFailed: (row, event) =>
      row && {
        ...row,
        fault: { code: event.data.code, reason: event.data.reason },
        failedAttempts: withFailure(row.failedAttempts, event),
        retryAt: new Date(event.data.retryAt),
        retryUntil: new Date(event.data.retryUntil),
        updatedAt: new Date(event.at),
        version: event.version,
      },
    BackupDelayed: (row, event) =>
      row && {
        ...row,
        delays: withDelay(row.delays, event),
        updatedAt: new Date(event.at),
        version: event.version,
      },
    // The parent stays in the row until the backup has ended: an earlier attempt may have built on it.
    BackupMadeFull: change<'BackupMadeFull'>(({ data: { plannedParentId, ground, reason } }) => ({
      type: 'full',
      madeFull: { plannedParentId, ground, reason },
    })),
    BackupIdentified: change<'BackupIdentified'>(({ data: { lineage, facts } }) => {
      const version = versionInFacts(facts);
      return { lineage, facts, ...(version !== undefined && { datastoreVersion: version }) };
    }),
    BackupVersionFound: change<'BackupVersionFound'>(({ data: { datastore } }) => ({
      datastoreType: datastore.type,
      datastoreVersion: datastore.version,
    })),
    BackupEncrypted: change<'BackupEncrypted'>(({ data: { encryptedFor } }) => ({ encryptedFor })),
    AnotherServerFound: change<'AnotherServerFound'>(({ data: { formerLineage, formerBackupId, reason } }) => ({
      anotherServer: { formerLineage, formerBackupId, reason },
    })),
    BackupCompleted: change<'BackupCompleted'>(
      ({ at, data: { type, parentId, attempt, region, location, sizeBytes, rawBytes, sha256 } }) => ({
        status: 'COMPLETED',
        // A run that could not build on its parent is full. When the bytes were there already, their type counts.
        type,
        parentId,
        ...(type === 'incremental' && { madeFull: null }),
        attempt,
        retryAt: null,
        retryUntil: null,
        region,
        location,
        sizeBytes,
        rawBytes,
        sha256,
        // What failed on the way is told by the failed attempts.
        fault: null,
        endedAt: new Date(at),
      }),
    ),
    BackupFailed: change<'BackupFailed'>(({ at, data: { attempt, code, reason } }) => ({
      status: 'FAILED',
      attempt,
      retryAt: null,
      retryUntil: null,
      fault: { code, reason },
      endedAt: new Date(at),
    })),
    RestoreTested: change<'RestoreTested'>(() => ({})),
    RestoreTestFailed: change<'RestoreTestFailed'>(() => ({})),
    BackupDeletionPutOff: change<'BackupDeletionPutOff'>(({ at, data: { ground, reason, waitsFor } }) => ({
      putOff: { at, ground, reason, waitsFor },
    })),
    BackupDeletionCalledOff: change<'BackupDeletionCalledOff'>(() => ({ putOff: null })),
    BackupDeletionMarked: (row, { at, version, context: { actor }, data: { trigger, rootId, purgeAt } }) =>
      row && isShownStatus(row.status)
        ? {
            ...row,
            status: 'MARKED',
            putOff: null,
            mark: { at, by: actor, trigger, rootId, purgeAt, approvedBy: null, before: row.status },
            updatedAt: new Date(at),
            version,
          }
        : row,
    BackupDeletionReverted: (row, { at, version }) =>
      row?.mark
        ? {
            ...row,
            status: row.mark.before,
            isKeptByHand: row.isKeptByHand || row.mark.trigger === 'retention',
            mark: null,
            updatedAt: new Date(at),
            version,
          }
        : row,
    BackupDeletionApproved: (row, { at, version, context: { actor } }) =>
      row?.mark ? { ...row, mark: { ...row.mark, approvedBy: actor }, updatedAt: new Date(at), version } : row,
    BackupHeld: change<'BackupHeld'>(({ at, context: { actor }, data: { reason } }) => ({
      hold: { at, by: actor, reason },
    })),
    BackupHoldLifted: change<'BackupHoldLifted'>(() => ({ hold: null })),
    BackupDeletionRequested: change<'BackupDeletionRequested'>(() => ({
      status: 'DELETING',
      putOff: null,
      mark: null,
    })),
    BackupDeletionFailed: change<'BackupDeletionFailed'>(({ data: { code, reason } }) => ({
      status: 'DELETE_FAILED',
      fault: { code, reason },
    })),
    BackupDeleted: () => undefined,
  },
};

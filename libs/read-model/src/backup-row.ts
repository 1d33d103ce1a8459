/** A row of the view of backups, and its table. */
import type { BackupType, DatastoreType, EngineFacts, EventData } from '@strongroom/contracts';
import { EntitySchema } from 'typeorm';
import { bigintAsNumber, type ViewRow } from './view.js';

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
  /** `catalogued`: it was found in a vault, and nobody knows what asked for it. */
  trigger: EventData<'BackupRequested'>['trigger'] | 'catalogued';
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

/** Whether a backup with this status is shown to clients that ask for what is there. */
export function isShownStatus(status: BackupStatus): status is ShownStatus {
  return status !== 'MARKED' && status !== 'DELETING';
}

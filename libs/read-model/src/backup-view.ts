/** The backups of an account, from request to end: the table and its fold. What is asked of it is in `backups.ts`. */
import type { BackupType, DatastoreType, EngineFacts, EventData } from '@strongroom/contracts';
import { EntitySchema } from 'typeorm';
import { bigintAsNumber, changing, unchanged, type View, type ViewRow } from './view.js';

export const backupStatuses = ['NEW', 'BUILDING', 'COMPLETED', 'FAILED', 'DELETE_FAILED'] as const;
/** While it is being deleted a backup is shown to nobody. */
export type BackupStatus = (typeof backupStatuses)[number] | 'DELETING';
export type ShownStatus = (typeof backupStatuses)[number];

/** Why something failed: a code of a closed list, and a sentence for people. */
export interface FaultOfRow {
  code: string;
  reason: string;
}

/** That a backup is of another server than the one before it, or not of that one's later state. */
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
  region: string | null;
  location: string | null;
  sizeBytes: number | null;
  rawBytes: number | null;
  sha256: string | null;
  fault: FaultOfRow | null;
  madeFull: MadeFullOfRow | null;
  /** Null until it is known. */
  lineage: string | null;
  /** What its engine says of it, by which it is known again; null when that can't be told. */
  facts: EngineFacts | null;
  anotherServer: AnotherServerOfRow | null;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  updatedAt: Date;
  /** The place in the ledger of the event that began it. It says what is newest: clocks may have been wrong. */
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
    createdAt: { type: 'timestamptz', name: 'created_at' },
    startedAt: { type: 'timestamptz', name: 'started_at', nullable: true },
    endedAt: { type: 'timestamptz', name: 'ended_at', nullable: true },
    updatedAt: { type: 'timestamptz', name: 'updated_at' },
    version: { type: 'integer' },
    position: { type: 'bigint', transformer: bigintAsNumber },
  },
});

const change = changing<BackupRow>();

export const backupView: View<'backup', BackupRow> = {
  aggregate: 'backup',
  table: backupTable,
  fold: {
    SlotSkipped: unchanged,
    SlotMissed: unchanged,
    BackupRequested: (_, { accountId, at, version, position, data: { backupId, datastore, slotAt, ...request } }) => ({
      ...request,
      id: backupId,
      accountId,
      slotAt: slotAt === null ? null : new Date(slotAt),
      datastoreType: datastore.type,
      datastoreVersion: datastore.version,
      status: 'NEW',
      attempt: 0,
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
      region,
      startedAt: new Date(at),
    })),
    // Until it has ended it keeps hold of its parent: bytes of an attempt before this one may turn out to be built on that.
    BackupMadeFull: change<'BackupMadeFull'>(({ data: { plannedParentId, ground, reason } }) => ({
      type: 'full',
      madeFull: { plannedParentId, ground, reason },
    })),
    BackupIdentified: change<'BackupIdentified'>(({ data: { lineage, facts } }) => ({ lineage, facts })),
    AnotherServerFound: change<'AnotherServerFound'>(({ data: { formerLineage, formerBackupId, reason } }) => ({
      anotherServer: { formerLineage, formerBackupId, reason },
    })),
    BackupCompleted: change<'BackupCompleted'>(
      ({ at, data: { type, parentId, attempt, region, location, sizeBytes, rawBytes, sha256 } }) => ({
        status: 'COMPLETED',
        // A run that could not build on its parent came to be full; one whose bytes were there already, what they are.
        type,
        parentId,
        ...(type === 'incremental' && { madeFull: null }),
        attempt,
        region,
        location,
        sizeBytes,
        rawBytes,
        sha256,
        endedAt: new Date(at),
      }),
    ),
    BackupFailed: change<'BackupFailed'>(({ at, data: { attempt, code, reason } }) => ({
      status: 'FAILED',
      attempt,
      fault: { code, reason },
      endedAt: new Date(at),
    })),
    BackupDeletionRequested: change<'BackupDeletionRequested'>(() => ({ status: 'DELETING' })),
    BackupDeletionFailed: change<'BackupDeletionFailed'>(({ data: { code, reason } }) => ({
      status: 'DELETE_FAILED',
      fault: { code, reason },
    })),
    BackupDeleted: () => undefined,
  },
};

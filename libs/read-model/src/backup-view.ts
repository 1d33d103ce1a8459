/** The backups of an account, from request to end. */
import type { BackupType, DatastoreType, EventData } from '@strongroom/contracts';
import { type DataSource, EntitySchema, In } from 'typeorm';
import {
  bigintAsNumber,
  changing,
  cut,
  type Page,
  type PageRequest,
  unchanged,
  type View,
  type ViewRow,
} from './view.js';

export const backupStatuses = ['NEW', 'BUILDING', 'COMPLETED', 'FAILED', 'DELETE_FAILED'] as const;
export type BackupStatus = (typeof backupStatuses)[number];

/** Why something failed: a code of a closed list, and a sentence for people. */
export interface FaultOfRow {
  code: string;
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
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  updatedAt: Date;
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
    createdAt: { type: 'timestamptz', name: 'created_at' },
    startedAt: { type: 'timestamptz', name: 'started_at', nullable: true },
    endedAt: { type: 'timestamptz', name: 'ended_at', nullable: true },
    updatedAt: { type: 'timestamptz', name: 'updated_at' },
    version: { type: 'integer' },
  },
});

const change = changing<BackupRow>();

export const backupView: View<'backup', BackupRow> = {
  aggregate: 'backup',
  table: backupTable,
  fold: {
    SlotSkipped: unchanged,
    SlotMissed: unchanged,
    BackupRequested: (_, { accountId, at, version, data: { backupId, datastore, slotAt, ...request } }) => ({
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
      createdAt: new Date(at),
      startedAt: null,
      endedAt: null,
      updatedAt: new Date(at),
      version,
    }),
    BackupStarted: change<'BackupStarted'>(({ at, data: { attempt, region } }) => ({
      status: 'BUILDING',
      attempt,
      region,
      startedAt: new Date(at),
    })),
    BackupCompleted: change<'BackupCompleted'>(
      ({ at, data: { attempt, region, location, sizeBytes, rawBytes, sha256 } }) => ({
        status: 'COMPLETED',
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
  },
};

export interface BackupFilter {
  instanceId?: string | undefined;
  status?: BackupStatus | undefined;
  datastoreType?: string | undefined;
}

export class Backups {
  constructor(private readonly dataSource: DataSource) {}

  async find(accountId: string, id: string): Promise<BackupRow | undefined> {
    return (await this.dataSource.manager.findOneBy(backupTable, { accountId, id })) ?? undefined;
  }

  /** Newest first, after the marker. Undefined when the marker names no backup of the account. */
  async page(
    accountId: string,
    { limit, marker, instanceId, status, datastoreType }: PageRequest & BackupFilter,
  ): Promise<Page<BackupRow> | undefined> {
    const query = this.dataSource.manager
      .createQueryBuilder(backupTable, 'b')
      .where('b.account_id = :accountId', { accountId })
      .orderBy({ 'b.created_at': 'DESC', 'b.id': 'DESC' })
      .limit(limit + 1);
    if (instanceId !== undefined) query.andWhere('b.instance_id = :instanceId', { instanceId });
    if (status !== undefined) query.andWhere('b.status = :status', { status });
    if (datastoreType !== undefined) query.andWhere('b.datastore_type = :datastoreType', { datastoreType });
    if (marker !== undefined) {
      const last = await this.find(accountId, marker);
      if (!last) return undefined;
      query.andWhere('(b.created_at, b.id) < (:at, :marker)', { at: last.createdAt, marker });
    }
    return cut(await query.getMany(), limit);
  }

  /** Those of the instances whose backup is requested or running. */
  async runningInstances(instanceIds: string[]): Promise<Set<string>> {
    const rows = await this.dataSource.manager.find(backupTable, {
      select: { instanceId: true },
      where: { instanceId: In(instanceIds), status: In(['NEW', 'BUILDING']) },
    });
    return new Set(rows.map(({ instanceId }) => instanceId));
  }
}

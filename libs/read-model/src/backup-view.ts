/** The backups of an account, from request to end. */
import type { BackupType, DatastoreType, EventData } from '@strongroom/contracts';
import { type DataSource, type EntityManager, EntitySchema, In, LessThan, Not } from 'typeorm';
import { z } from 'zod';
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
/** While it is being deleted a backup is shown to nobody. */
export type BackupStatus = (typeof backupStatuses)[number] | 'DELETING';
export type ShownStatus = (typeof backupStatuses)[number];

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
    BackupCompleted: change<'BackupCompleted'>(
      ({ at, data: { type, parentId, attempt, region, location, sizeBytes, rawBytes, sha256 } }) => ({
        status: 'COMPLETED',
        // A run that could not build on its parent came to be full.
        type,
        parentId,
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

/** A backup that is not being deleted. */
export interface ShownBackup extends BackupRow {
  status: ShownStatus;
}

function isShown(row: BackupRow): row is ShownBackup {
  return row.status !== 'DELETING';
}

export interface BackupFilter {
  instanceId?: string | undefined;
  status?: ShownStatus | undefined;
  datastoreType?: string | undefined;
}

export class Backups {
  constructor(private readonly dataSource: DataSource) {}

  async find(accountId: string, id: string): Promise<ShownBackup | undefined> {
    const row = await this.dataSource.manager.findOneBy(backupTable, { accountId, id });
    return row && isShown(row) ? row : undefined;
  }

  async findAll(accountId: string, ids: string[]): Promise<ShownBackup[]> {
    return (await this.dataSource.manager.findBy(backupTable, { accountId, id: In(ids) })).filter(isShown);
  }

  /** The backup and everything made from it, also what is being deleted: parents before their children. */
  async chainBelow(accountId: string, id: string): Promise<BackupRow[]> {
    const found: unknown = await this.dataSource.query(
      `with recursive made as (
         select id, 0 as depth from backup_view where id = $1 and account_id = $2
         union all select b.id, made.depth + 1 from backup_view b join made on b.parent_id = made.id
       ) select id from made order by depth, id`,
      [id, accountId],
    );
    const ids = z
      .array(z.object({ id: z.string() }))
      .parse(found)
      .map((row) => row.id);
    const rows = await this.dataSource.manager.findBy(backupTable, { id: In(ids) });
    return ids.flatMap((each) => rows.find((row) => row.id === each) ?? []);
  }

  /** The ids of what is built on the backup itself. */
  async childrenOf(instanceId: string, parentId: string): Promise<string[]> {
    const rows = await this.dataSource.manager.find(backupTable, {
      where: { instanceId, parentId },
      select: { id: true },
    });
    return rows.map(({ id }) => id);
  }

  /**
   * The instance's full backups that completed before an event of it, also what is being deleted, newest first.
   * @param position the event's place in the ledger
   * @param except the event's own backup
   */
  fullsBefore(instanceId: string, position: number, limit: number, except?: string): Promise<BackupRow[]> {
    return this.dataSource.manager.find(backupTable, {
      where: {
        instanceId,
        type: 'full',
        status: In(['COMPLETED', 'DELETING', 'DELETE_FAILED']),
        position: LessThan(position),
        ...(except !== undefined && { id: Not(except) }),
      },
      order: { position: 'desc' },
      take: limit,
    });
  }

  /** A schedule's full backups that the vaults hold and nobody is deleting, newest first. */
  storedFullsOf(scheduleId: string): Promise<BackupRow[]> {
    return this.dataSource.manager.find(backupTable, {
      where: { scheduleId, type: 'full', status: In(['COMPLETED', 'DELETE_FAILED']) },
      order: { position: 'desc' },
    });
  }

  /** By schedule: the newest of its backups that has completed, as the caller's transaction sees it. */
  async newestCompletedOf(manager: EntityManager, scheduleIds: string[]): Promise<Map<string, string>> {
    const found: unknown = await manager.query(
      `select asked.id as schedule_id, newest.id from unnest($1::uuid[]) as asked(id)
       cross join lateral (
         select b.id from backup_view b where b.schedule_id = asked.id and b.status = 'COMPLETED'
         order by b.position desc limit 1
       ) newest`,
      [scheduleIds],
    );
    const rows = z.array(z.object({ schedule_id: z.string(), id: z.string() })).parse(found);
    return new Map(rows.map((row) => [row.schedule_id, row.id]));
  }

  /** The newest backup of the instance that has completed. */
  async newestCompleted(instanceId: string): Promise<BackupRow | undefined> {
    const where = { instanceId, status: 'COMPLETED' as const };
    return (await this.dataSource.manager.findOne(backupTable, { where, order: { position: 'desc' } })) ?? undefined;
  }

  /** Newest first, after the marker. Undefined when the marker names no backup of the account. */
  async page(
    accountId: string,
    { limit, marker, instanceId, status, datastoreType }: PageRequest & BackupFilter,
  ): Promise<Page<ShownBackup> | undefined> {
    const query = this.dataSource.manager
      .createQueryBuilder(backupTable, 'b')
      .where(`b.account_id = :accountId and b.status <> 'DELETING'`, { accountId })
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
    return cut((await query.getMany()).filter(isShown), limit);
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

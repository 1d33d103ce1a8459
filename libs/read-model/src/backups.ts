/** The queries of the view of backups. */
import { regionRetired } from '@strongroom/contracts';
import { type DataSource, type EntityManager, type FindOptionsWhere, In, IsNull, LessThan, Not } from 'typeorm';
import { z } from 'zod';
import { type BackupRow, backupTable, isShownStatus, type MarkOfRow, type ShownStatus } from './backup-row.js';
import { cut, type Page, type PageRequest } from './view.js';

/** The same condition as in the index. */
const leftBehind = `b.status = 'DELETE_FAILED' and b.fault->>'code' = '${regionRetired}'`;

const failedDeletion = z.object({
  id: z.string(),
  accountId: z.string(),
  code: z.string(),
  /** For how long it has been failed, by the database's clock. */
  failedMs: z.number(),
});

/** A backup that may be shown: it is not deleted. */
export interface ShownBackup extends BackupRow {
  status: ShownStatus;
}

/** A backup that is deleted and can be brought back. */
export interface DeletedBackup extends BackupRow {
  status: 'MARKED';
  mark: MarkOfRow;
}

function isShown(row: BackupRow): row is ShownBackup {
  return isShownStatus(row.status);
}

export function isMarked(row: BackupRow): row is DeletedBackup {
  return row.status === 'MARKED' && row.mark !== null;
}

type DeletableRow = Pick<BackupRow, 'id' | 'parentId' | 'status' | 'fault' | 'sha256' | 'endedAt' | 'mark'>;

/** What decides how a backup is deleted, should it be, and when its bytes go. */
export function deletable({ id, parentId, status, fault, sha256, endedAt, mark }: DeletableRow) {
  return {
    ...{ id, parentId },
    // What waits for a region without a vault is taken up when the region has one again.
    isDeleteFailed: status === 'DELETE_FAILED' && fault?.code !== regionRetired,
    /** Null when it has not completed. */
    completedAt: sha256 === null ? null : endedAt,
    mark: mark && { at: new Date(mark.at), purgeAt: new Date(mark.purgeAt) },
  };
}

/** The columns that retention needs to judge a backup. */
const heldColumns = {
  id: true,
  accountId: true,
  instanceId: true,
  scheduleId: true,
  slotAt: true,
  trigger: true,
  type: true,
  parentId: true,
  copyTo: true,
  status: true,
  madeFull: true,
  lineage: true,
  region: true,
  fault: true,
  putOff: true,
  isKeptByHand: true,
} as const;
export type HeldBackupRow = Pick<BackupRow, keyof typeof heldColumns>;

/** The columns that a preview of a schedule needs beside these. */
const previewableColumns = { ...heldColumns, sha256: true, endedAt: true, mark: true, hold: true } as const;
export type PreviewableRow = Pick<BackupRow, keyof typeof previewableColumns>;

/** A backup as a preview of its schedule looks at it. */
export function previewable(row: PreviewableRow) {
  return { ...row, ...deletable(row), isOnHold: row.hold !== null };
}

export interface NewestBackup {
  id: string;
  /** Whether everything that it is built on is there and is not being deleted. */
  isWhole: boolean;
}

/** Names an event of an instance, to ask what came before it. */
export interface BeforeEvent {
  instanceId: string;
  position: number;
  lineage?: string | null | undefined;
  except?: string | undefined;
}

export interface BackupFilter {
  instanceId?: string | undefined;
  /** The only instances whose backups are asked for. Default: all. */
  among?: readonly string[] | undefined;
  status?: ShownStatus | undefined;
  datastoreType?: string | undefined;
  /** Whether those are asked for that are deleted and can be brought back. Default: those that are there. */
  isDeleted?: boolean | undefined;
}

export class Backups {
  constructor(private readonly dataSource: DataSource) {}

  async find(accountId: string, id: string): Promise<ShownBackup | undefined> {
    const row = await this.dataSource.manager.findOneBy(backupTable, { accountId, id });
    return row && isShown(row) ? row : undefined;
  }

  /** A backup that is deleted and can be brought back. */
  async findDeleted(accountId: string, id: string): Promise<DeletedBackup | undefined> {
    const row = await this.dataSource.manager.findOneBy(backupTable, { accountId, id });
    return row && isMarked(row) ? row : undefined;
  }

  /** The whole chain of a backup, parents before children: the full backup and everything that is built on it. */
  async chainOf({ accountId, id, parentId }: Pick<BackupRow, 'accountId' | 'id' | 'parentId'>): Promise<BackupRow[]> {
    const found: unknown = await this.dataSource.query(
      `with recursive above as (
         select $1::uuid as id, $2::uuid as parent_id, 0 as height
         union all select b.id, b.parent_id, above.height + 1 from backup_view b join above on b.id = above.parent_id
         where b.account_id = $3
       ) select id from above order by height desc limit 1`,
      [id, parentId, accountId],
    );
    const [{ id: top } = { id }] = z.array(z.object({ id: z.string() })).parse(found);
    return this.chainBelow(accountId, top);
  }

  /** How many backups are deleted whose bytes are there, of all accounts. */
  async countDeleted(): Promise<number> {
    return this.dataSource.manager.countBy(backupTable, { status: 'MARKED' });
  }

  /** How many backups of the account somebody has deleted whose bytes are there, and that no second person has approved. */
  async deletedByHand(accountId: string): Promise<number> {
    const found: unknown = await this.dataSource.query(
      `select count(*)::int as deleted from backup_view
       where account_id = $1 and status = 'MARKED' and mark->>'trigger' = 'request' and mark->>'approvedBy' is null`,
      [accountId],
    );
    return (
      z
        .array(z.object({ deleted: z.int() }))
        .length(1)
        .parse(found)[0]?.deleted ?? 0
    );
  }

  /** The id of the instance's backup that waits for its next attempt. */
  async waitingOf(accountId: string, instanceId: string): Promise<string | undefined> {
    const where = { accountId, instanceId, status: 'BUILDING' as const, retryAt: Not(IsNull()) };
    return (await this.dataSource.manager.findOne(backupTable, { select: { id: true }, where }))?.id;
  }

  async findAll(accountId: string, ids: string[]): Promise<ShownBackup[]> {
    return (await this.dataSource.manager.findBy(backupTable, { accountId, id: In(ids) })).filter(isShown);
  }

  /** The backup and everything built on it, parents before children. What is being deleted is included. */
  async chainBelow(accountId: string, id: string): Promise<BackupRow[]> {
    const found: unknown = await this.dataSource.query(
      `with recursive made as (
         select id, 0 as depth from backup_view where id = $1 and account_id = $2
         union all
         select b.id, made.depth + 1 from backup_view b join made on b.parent_id = made.id where b.account_id = $2
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

  /** The ids of the backups whose parent is this backup. */
  async childrenOf(instanceId: string, parentId: string): Promise<string[]> {
    const rows = await this.dataSource.manager.find(backupTable, {
      where: { instanceId, parentId },
      select: { id: true },
    });
    return rows.map(({ id }) => id);
  }

  /**
   * The instance's backups that began before an event and have completed: the newest of all, the newest full ones, and the
   * newest of a lineage, which may lie further back. What is being deleted is included.
   * @param before the position of the event, and its own backup, which is left out
   * @param limit how many of each kind at most
   */
  async endedBefore({ instanceId, position, lineage, except }: BeforeEvent, limit: number): Promise<string[]> {
    const find = (more: FindOptionsWhere<BackupRow>) =>
      this.dataSource.manager.find(backupTable, {
        select: { id: true },
        where: {
          instanceId,
          status: In(['COMPLETED', 'MARKED', 'DELETING', 'DELETE_FAILED']),
          position: LessThan(position),
          ...(except !== undefined && { id: Not(except) }),
          ...more,
        },
        order: { position: 'desc' },
        take: limit,
      });
    const rows = [...(await find({})), ...(await find({ type: 'full' })), ...(lineage ? await find({ lineage }) : [])];
    return [...new Set(rows.map(({ id }) => id))];
  }

  /** The instance's backups that are there or are running, oldest first, without those that failed or are being deleted. */
  heldOf(instanceId: string): Promise<HeldBackupRow[]> {
    return this.dataSource.manager.find(backupTable, {
      select: heldColumns,
      where: { instanceId, status: In(['NEW', 'BUILDING', 'COMPLETED', 'DELETE_FAILED']) },
      order: { position: 'asc' },
    });
  }

  /** As `heldOf`, with those that are deleted and can be brought back, and those that have failed and are on hold. */
  previewableOf(instanceId: string): Promise<PreviewableRow[]> {
    return this.dataSource.manager.find(backupTable, {
      select: previewableColumns,
      where: [
        { instanceId, status: In(['NEW', 'BUILDING', 'COMPLETED', 'DELETE_FAILED', 'MARKED']) },
        { instanceId, status: 'FAILED', hold: Not(IsNull()) },
      ],
      order: { position: 'asc' },
    });
  }

  /**
   * Backups whose deletion has failed with one of these codes, in order of id. Those that are deleted with a parent are left
   * out; one whose parent's deletion has failed otherwise is not.
   */
  async failedDeletions(
    codes: readonly string[],
    after: string | undefined,
    limit: number,
  ): Promise<z.infer<typeof failedDeletion>[]> {
    const found: unknown = await this.dataSource.query(
      `select b.id, b.account_id as "accountId", b.fault->>'code' as code,
         (extract(epoch from now() - b.updated_at) * 1000)::float8 as "failedMs"
       from backup_view b
       where b.status = 'DELETE_FAILED' and b.fault->>'code' = any($3) and ($1::uuid is null or b.id > $1)
         and not exists (select from backup_view p where p.id = b.parent_id
           and (p.status = 'DELETING' or (p.status = 'DELETE_FAILED' and p.fault->>'code' = any($3))))
       order by b.id limit $2`,
      [after ?? null, limit, codes],
    );
    return z.array(failedDeletion).parse(found);
  }

  /**
   * For each region without a vault, how many deleted backups it may still have something of.
   * @param served the regions with a vault
   */
  async leftBehindIn(served: readonly string[]): Promise<{ region: string; backups: number }[]> {
    const found: unknown = await this.dataSource.query(
      `select region, count(*)::int as backups from (
         select b.id, c.region from backup_view b join copy_view c on c.backup_id = b.id and c.status = 'DELETING'
         where ${leftBehind}
         union select b.id, b.region from backup_view b where ${leftBehind}
       ) left_behind where region <> all($1) group by region`,
      [served],
    );
    return z.array(z.object({ region: z.string(), backups: z.int() })).parse(found);
  }

  /** The newest completed backup of each instance, by instance, as the caller's transaction sees it. */
  async newestCompletedOf(manager: EntityManager, instanceIds: string[]): Promise<Map<string, NewestBackup>> {
    const found: unknown = await manager.query(
      `with recursive newest as (
         select asked.id as instance_id, b.id, b.parent_id from unnest($1::uuid[]) as asked(id)
         cross join lateral (
           select c.id, c.parent_id from backup_view c where c.instance_id = asked.id and c.status = 'COMPLETED'
           order by c.position desc limit 1
         ) b
       ), chain as (
         select n.instance_id, n.parent_id, true as is_there from newest n
         union all
         select c.instance_id, p.parent_id, p.id is not null and p.status = 'COMPLETED'
         from chain c left join backup_view p on p.id = c.parent_id
         where c.parent_id is not null and c.is_there
       )
       select n.instance_id as "instanceId", n.id,
         (select bool_and(c.is_there) from chain c where c.instance_id = n.instance_id) as "isWhole"
       from newest n`,
      [instanceIds],
    );
    const rows = z.array(z.object({ instanceId: z.string(), id: z.string(), isWhole: z.boolean() })).parse(found);
    return new Map(rows.map(({ instanceId, ...newest }) => [instanceId, newest]));
  }

  /** The newest backup of the instance that has completed. */
  async newestCompleted(instanceId: string): Promise<NewestBackup | undefined> {
    return (await this.newestCompletedOf(this.dataSource.manager, [instanceId])).get(instanceId);
  }

  /** The page after the marker, newest first; undefined when the marker names no backup of the account. */
  async page(
    accountId: string,
    { limit, marker, instanceId, among, status, datastoreType, isDeleted = false }: PageRequest & BackupFilter,
  ): Promise<Page<ShownBackup | DeletedBackup> | undefined> {
    const isWanted = (row: BackupRow) => (isDeleted ? isMarked(row) : isShown(row));
    const query = this.dataSource.manager
      .createQueryBuilder(backupTable, 'b')
      .where('b.account_id = :accountId', { accountId })
      .andWhere(isDeleted ? `b.status = 'MARKED'` : `b.status not in ('MARKED', 'DELETING')`)
      .orderBy({ 'b.created_at': 'DESC', 'b.id': 'DESC' })
      .limit(limit + 1);
    if (instanceId !== undefined) query.andWhere('b.instance_id = :instanceId', { instanceId });
    if (among !== undefined) query.andWhere('b.instance_id = any(:among)', { among });
    const statusNow = isDeleted ? `b.mark->>'before'` : 'b.status';
    if (status !== undefined) query.andWhere(`${statusNow} = :status`, { status });
    if (datastoreType !== undefined) query.andWhere('b.datastore_type = :datastoreType', { datastoreType });
    if (marker !== undefined) {
      const last = await this.dataSource.manager.findOneBy(backupTable, { accountId, id: marker });
      if (!last || !isWanted(last) || among?.includes(last.instanceId) === false) return undefined;
      query.andWhere('(b.created_at, b.id) < (:at, :marker)', { at: last.createdAt, marker });
    }
    const rows = await query.getMany();
    return cut<ShownBackup | DeletedBackup>(isDeleted ? rows.filter(isMarked) : rows.filter(isShown), limit);
  }

  /** Those of the instances whose newest backup that has ended was completed. */
  async instancesThatAnswered(instanceIds: string[]): Promise<Set<string>> {
    const found: unknown = await this.dataSource.query(
      `select asked.id from unnest($1::uuid[]) as asked(id)
       cross join lateral (
         select b.sha256 from backup_view b where b.instance_id = asked.id and b.ended_at is not null
         order by b.created_at desc, b.id desc limit 1
       ) newest
       where newest.sha256 is not null`,
      [instanceIds],
    );
    return new Set(
      z
        .array(z.object({ id: z.string() }))
        .parse(found)
        .map(({ id }) => id),
    );
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

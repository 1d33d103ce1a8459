/** The view of copies of backups in other regions, from request to end. */
import { type RecordedEvent, regionRetired } from '@strongroom/contracts';
import { type DataSource, EntitySchema, In } from 'typeorm';
import { z } from 'zod';
import type { FaultOfRow } from './backup-row.js';
import { bigintAsNumber, changing, type View, type ViewRow } from './view.js';

export const copyStatuses = ['PENDING', 'COPYING', 'COMPLETED', 'FAILED'] as const;
/** A copy that is `DELETING` is shown to nobody. */
export type CopyStatus = (typeof copyStatuses)[number] | 'DELETING';

/** A fault, and since when every attempt has failed with it. Rows that an older version has written do not say since when. */
export interface CopyFault extends FaultOfRow {
  since?: string;
}

export interface CopyRow extends ViewRow {
  instanceId: string;
  backupId: string;
  region: string;
  sourceRegion: string;
  status: CopyStatus;
  attempt: number;
  sizeBytes: number;
  sha256: string;
  location: string | null;
  /** Why the copy or its newest attempt has failed. */
  fault: CopyFault | null;
  /** When the newest attempt was to be followed by another. The job knows better, because it may be put off or woken. */
  retryAt: Date | null;
  createdAt: Date;
  /** Since when the region is owed the copy. It is later than the creation when the region has lost the copy. */
  owedAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  updatedAt: Date;
}

export const copyTable = new EntitySchema<CopyRow>({
  name: 'CopyView',
  tableName: 'copy_view',
  columns: {
    id: { type: 'uuid', primary: true },
    accountId: { type: 'text', name: 'account_id' },
    instanceId: { type: 'uuid', name: 'instance_id' },
    backupId: { type: 'uuid', name: 'backup_id' },
    region: { type: 'text' },
    sourceRegion: { type: 'text', name: 'source_region' },
    status: { type: 'text' },
    attempt: { type: 'integer' },
    sizeBytes: { type: 'bigint', name: 'size_bytes', transformer: bigintAsNumber },
    sha256: { type: 'text' },
    location: { type: 'text', nullable: true },
    fault: { type: 'jsonb', nullable: true },
    retryAt: { type: 'timestamptz', name: 'retry_at', nullable: true },
    createdAt: { type: 'timestamptz', name: 'created_at' },
    owedAt: { type: 'timestamptz', name: 'owed_at' },
    startedAt: { type: 'timestamptz', name: 'started_at', nullable: true },
    endedAt: { type: 'timestamptz', name: 'ended_at', nullable: true },
    updatedAt: { type: 'timestamptz', name: 'updated_at' },
    version: { type: 'integer' },
  },
});

const change = changing<CopyRow>();
/** The same condition as in the index. */
const stranded = `status = 'FAILED' and fault->>'code' = '${regionRetired}'`;

export const copyView: View<'copy', CopyRow> = {
  aggregate: 'copy',
  table: copyTable,
  fold: {
    CopyRequested: (_, { accountId, at, version, data }) => ({
      id: data.copyId,
      accountId,
      instanceId: data.instanceId,
      backupId: data.backupId,
      region: data.region,
      sourceRegion: data.sourceRegion,
      sizeBytes: data.sizeBytes,
      sha256: data.sha256,
      status: 'PENDING',
      attempt: 0,
      location: null,
      fault: null,
      retryAt: null,
      createdAt: new Date(at),
      owedAt: new Date(at),
      startedAt: null,
      endedAt: null,
      updatedAt: new Date(at),
      version,
    }),
    CopyStarted: change<'CopyStarted'>(({ at, data: { attempt } }) => ({
      status: 'COPYING',
      attempt,
      startedAt: new Date(at),
      retryAt: null,
    })),
    CopyAttemptFailed: (row, event) =>
      row && {
        ...row,
        status: 'PENDING',
        fault: faultSince(row, event),
        retryAt: new Date(event.data.retryAt),
        updatedAt: new Date(event.at),
        version: event.version,
      },
    CopyCompleted: change<'CopyCompleted'>(({ at, data: { location, sizeBytes, sha256 } }) => ({
      status: 'COMPLETED',
      location,
      sizeBytes,
      sha256,
      fault: null,
      endedAt: new Date(at),
    })),
    CopyCatalogued: (_, { accountId, at, version, data }) => ({
      id: data.copyId,
      accountId,
      instanceId: data.instanceId,
      backupId: data.backupId,
      region: data.region,
      sourceRegion: data.sourceRegion,
      sizeBytes: data.sizeBytes,
      sha256: data.sha256,
      status: 'COMPLETED',
      attempt: data.attempt,
      location: data.location,
      fault: null,
      retryAt: null,
      createdAt: new Date(at),
      owedAt: new Date(at),
      startedAt: new Date(data.startedAt),
      endedAt: new Date(data.completedAt),
      updatedAt: new Date(at),
      version,
    }),
    CopyFailed: change<'CopyFailed'>(({ at, data: { code, reason } }) => ({
      status: 'FAILED',
      fault: { code, reason, since: at },
      endedAt: new Date(at),
    })),
    CopySourceChanged: change<'CopySourceChanged'>(({ data: { sourceRegion } }) => ({ sourceRegion })),
    CopyStranded: change<'CopyStranded'>(({ at, data: { reason } }) => ({
      status: 'FAILED',
      fault: { code: regionRetired, reason, since: at },
      retryAt: null,
      endedAt: new Date(at),
    })),
    CopyCheckRequested: change<'CopyCheckRequested'>(() => ({})),
    CopyChecked: change<'CopyChecked'>(() => ({})),
    CopyLost: change<'CopyLost'>(({ at, data: { code, reason } }) => ({
      status: 'PENDING',
      owedAt: new Date(at),
      location: null,
      fault: { code, reason, since: at },
      startedAt: null,
      endedAt: null,
    })),
    CopyDeletionRequested: change<'CopyDeletionRequested'>(() => ({ status: 'DELETING' })),
    CopyDeleted: () => undefined,
  },
};

function faultSince({ fault }: CopyRow, { at, data: { code, reason } }: RecordedEvent<'CopyAttemptFailed'>): CopyFault {
  return { code, reason, since: fault?.code === code ? (fault.since ?? at) : at };
}

/** A copy that may be shown: it is not being deleted. */
export interface ShownCopy extends CopyRow {
  status: (typeof copyStatuses)[number];
}

function isShown(row: CopyRow): row is ShownCopy {
  return row.status !== 'DELETING';
}

/** What retention has to know of copies, by backup. */
export function heldCopies(
  copies: ReadonlyMap<string, readonly ShownCopy[]>,
): Map<string, { region: string; isCompleted: boolean }[]> {
  return new Map(
    [...copies].map(([backupId, rows]) => [
      backupId,
      rows.map(({ region, status }) => ({ region, isCompleted: status === 'COMPLETED' })),
    ]),
  );
}

/** What a preview of a schedule has to know of copies, by backup. What waits for a region without a vault is asked for again by itself. */
export function previewableCopies(
  copies: ReadonlyMap<string, readonly ShownCopy[]>,
): Map<string, { region: string; isCompleted: boolean; isComing: boolean }[]> {
  return new Map(
    [...copies].map(([backupId, rows]) => [
      backupId,
      rows.map(({ region, status, fault }) => ({
        region,
        isCompleted: status === 'COMPLETED',
        isComing: status === 'PENDING' || status === 'COPYING' || fault?.code === regionRetired,
      })),
    ]),
  );
}

/** The copies that a region is owed. */
export interface Owed {
  region: string;
  copies: number;
  /** How long the copy that is owed longest has been owed. */
  oldestMs: number;
  /** How many copies nobody can make because a region has no vault. They are not counted in `copies`. */
  stranded: number;
}

const owedRow = z.object({ region: z.string(), copies: z.int(), oldestMs: z.number(), stranded: z.int() });
const copyOfRegion = z.object({ id: z.string(), accountId: z.string(), region: z.string() });
/** What is needed of a copy to act on it. */
export type CopyOfRegion = z.infer<typeof copyOfRegion>;

export class Copies {
  constructor(private readonly dataSource: DataSource) {}

  /** The ids of copies that wait because a region was away or full, in order of id, beyond the id `after`. */
  async waitingForOutage(after: string | undefined, limit: number): Promise<string[]> {
    const rows: unknown = await this.dataSource.query(
      `select id from copy_view
       where status = 'PENDING' and fault->>'code' in ('vault-unavailable', 'vault-full') and ($1::uuid is null or id > $1)
       order by id limit $2`,
      [after ?? null, limit],
    );
    return z
      .array(z.object({ id: z.string() }))
      .parse(rows)
      .map(({ id }) => id);
  }

  /** The copies that have not ended, by region, with those that are tried again or stranded. A region that is owed none is left out. */
  async owed(): Promise<Owed[]> {
    const rows: unknown = await this.dataSource.query(
      `select region, count(*) filter (where status <> 'FAILED')::int as copies,
         count(*) filter (where status = 'FAILED')::int as stranded,
         coalesce(greatest(extract(epoch from now() - min(owed_at) filter (where status <> 'FAILED')) * 1000, 0), 0)::float8
           as "oldestMs"
       from copy_view where status in ('PENDING', 'COPYING') or (${stranded}) group by region`,
    );
    return z.array(owedRow).parse(rows);
  }

  /** The copies of each backup, in order of region, without those that are being deleted. A backup without copies is left out. */
  async ofBackups(backupIds: string[]): Promise<Map<string, ShownCopy[]>> {
    const rows = await this.dataSource.manager.find(copyTable, {
      where: { backupId: In(backupIds) },
      order: { backupId: 'asc', region: 'asc' },
    });
    const copies = new Map<string, ShownCopy[]>();
    for (const row of rows.filter(isShown)) copies.set(row.backupId, [...(copies.get(row.backupId) ?? []), row]);
    return copies;
  }

  /** Those of the copies that are of backups of one of the instances. */
  async ofInstances(ids: readonly string[], instanceIds: readonly string[]): Promise<Set<string>> {
    if (ids.length === 0) return new Set();
    const rows = await this.dataSource.manager.find(copyTable, {
      where: { id: In(ids), instanceId: In(instanceIds) },
      select: { id: true },
    });
    return new Set(rows.map(({ id }) => id));
  }

  /** The regions of every copy of the backup, also of those that are being deleted. */
  async regionsOf(backupId: string): Promise<string[]> {
    const rows = await this.dataSource.manager.find(copyTable, { where: { backupId }, select: { region: true } });
    return rows.map(({ region }) => region);
  }

  /**
   * Copies that have been owed for a minute to regions without a vault. The minute keeps processes that learn of a new region
   * one after another from undoing each other's work for long.
   * @param served the regions with a vault
   */
  async unservable(served: readonly string[], limit: number): Promise<CopyOfRegion[]> {
    const rows: unknown = await this.dataSource.query(
      `select id, account_id as "accountId", region from copy_view
       where status in ('PENDING', 'COPYING') and region <> all($1) and updated_at < now() - interval '1 minute'
       order by owed_at limit $2`,
      [served, limit],
    );
    return z.array(copyOfRegion).parse(rows);
  }

  /** Stranded copies that can be made again: their region has a vault now, and so has another region with the backup. */
  async servableAgain(served: readonly string[], limit: number): Promise<CopyOfRegion[]> {
    const rows: unknown = await this.dataSource.query(
      `select c.id, c.account_id as "accountId", c.region
       from (select * from copy_view where ${stranded}) c join backup_view b on b.id = c.backup_id
       where c.region = any($1) and b.status = 'COMPLETED' and (b.region = any($1) or exists (
         select from copy_view o where o.backup_id = c.backup_id and o.status = 'COMPLETED' and o.region = any($1)))
       order by c.owed_at limit $2`,
      [served, limit],
    );
    return z.array(copyOfRegion).parse(rows);
  }
}

/** The copies of backups in other regions, from request to end. */
import { type DataSource, EntitySchema, In } from 'typeorm';
import { z } from 'zod';
import type { FaultOfRow } from './backup-view.js';
import { bigintAsNumber, changing, type View, type ViewRow } from './view.js';

export const copyStatuses = ['PENDING', 'COPYING', 'COMPLETED', 'FAILED'] as const;
export type CopyStatus = (typeof copyStatuses)[number];

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
  /** Why the copy, or its newest attempt, failed. */
  fault: FaultOfRow | null;
  /** When it is tried again after a failed attempt. */
  retryAt: Date | null;
  createdAt: Date;
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
    startedAt: { type: 'timestamptz', name: 'started_at', nullable: true },
    endedAt: { type: 'timestamptz', name: 'ended_at', nullable: true },
    updatedAt: { type: 'timestamptz', name: 'updated_at' },
    version: { type: 'integer' },
  },
});

const change = changing<CopyRow>();

export const copyView: View<'copy', CopyRow> = {
  aggregate: 'copy',
  table: copyTable,
  fold: {
    CopyRequested: (_, { accountId, at, version, data: { copyId, parentId: __, ...request } }) => ({
      ...request,
      id: copyId,
      accountId,
      status: 'PENDING',
      attempt: 0,
      location: null,
      fault: null,
      retryAt: null,
      createdAt: new Date(at),
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
    CopyAttemptFailed: change<'CopyAttemptFailed'>(({ data: { code, reason, retryAt } }) => ({
      status: 'PENDING',
      fault: { code, reason },
      retryAt: new Date(retryAt),
    })),
    CopyCompleted: change<'CopyCompleted'>(({ at, data: { location, sizeBytes, sha256 } }) => ({
      status: 'COMPLETED',
      location,
      sizeBytes,
      sha256,
      fault: null,
      endedAt: new Date(at),
    })),
    CopyFailed: change<'CopyFailed'>(({ at, data: { code, reason } }) => ({
      status: 'FAILED',
      fault: { code, reason },
      endedAt: new Date(at),
    })),
    CopyDeleted: () => undefined,
  },
};

/** What a region has yet to get. */
export interface Owed {
  region: string;
  copies: number;
  /** How long the copy that was asked for first has been owed. */
  oldestMs: number;
}

const owedRow = z.object({ region: z.string(), copies: z.int(), oldestMs: z.number() });

export class Copies {
  constructor(private readonly dataSource: DataSource) {}

  /** Every copy that has not ended, by region: also those that failed and are tried again. A region that is owed none is left out. */
  async owed(): Promise<Owed[]> {
    const rows: unknown = await this.dataSource.query(
      `select region, count(*)::int as copies,
         greatest(extract(epoch from now() - min(created_at)) * 1000, 0)::float8 as "oldestMs"
       from copy_view where status in ('PENDING', 'COPYING') group by region`,
    );
    return z.array(owedRow).parse(rows);
  }

  /** The copies of each backup, in order of region; a backup without any is not in it. */
  async ofBackups(backupIds: string[]): Promise<Map<string, CopyRow[]>> {
    const rows = await this.dataSource.manager.find(copyTable, {
      where: { backupId: In(backupIds) },
      order: { backupId: 'asc', region: 'asc' },
    });
    const copies = new Map<string, CopyRow[]>();
    for (const row of rows) copies.set(row.backupId, [...(copies.get(row.backupId) ?? []), row]);
    return copies;
  }
}

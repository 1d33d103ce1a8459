/** The lineages of an instance. The backups of one lineage are states of one history of one server. */
import { engineFacts } from '@strongroom/contracts';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

/** A completed backup and what is known of its server. */
export interface IdentifiableBackup {
  id: string;
  /** Null until the backup is identified. */
  lineage: string | null;
  facts: z.infer<typeof engineFacts> | null;
  /** Whether it is deleted where it was made. Its manifest, which has its facts, is gone then. */
  isDeleted: boolean;
}

export interface LineageRow {
  instanceId: string;
  id: string;
  /** How many backups of the lineage are there. */
  backups: number;
  newestBackupId: string;
  firstCompletedAt: Date;
  lastCompletedAt: Date;
  /** Whether the newest backup of the instance is of this lineage. */
  isNewest: boolean;
  /** How the newest switch to this lineage was noticed, if a backup that says so is still there. */
  anotherServer: { backupId: string; formerLineage: string; formerBackupId: string; reason: string } | null;
}

const identifiable = z.array(
  z.object({ id: z.string(), lineage: z.string().nullable(), facts: engineFacts.nullable(), isDeleted: z.boolean() }),
);

const lineageRows = z.array(
  z.object({
    instanceId: z.string(),
    id: z.string(),
    backups: z.int(),
    newestBackupId: z.string(),
    firstCompletedAt: z.date(),
    lastCompletedAt: z.date(),
    isNewest: z.boolean(),
    anotherServer: z
      .object({ backupId: z.string(), formerLineage: z.string(), formerBackupId: z.string(), reason: z.string() })
      .nullable(),
  }),
);

export class Lineages {
  constructor(private readonly dataSource: DataSource) {}

  /** The instance's completed backups, oldest first. Those that are being deleted are included: they tell of the server too. */
  async completedOf(instanceId: string): Promise<IdentifiableBackup[]> {
    const found: unknown = await this.dataSource.query(
      `select id, lineage, facts, status not in ('COMPLETED', 'MARKED') as "isDeleted" from backup_view
       where instance_id = $1 and sha256 is not null order by position desc`,
      [instanceId],
    );
    return identifiable.parse(found).reverse();
  }

  /** The lineages of each instance that have a backup. The one with the newest backup comes first. */
  async ofInstances(instanceIds: string[]): Promise<LineageRow[]> {
    const found: unknown = await this.dataSource.query(
      `with ranked as (
         select *, row_number() over (partition by instance_id order by position desc) as rank from backup_view
         where instance_id = any($1) and status in ('COMPLETED', 'DELETE_FAILED') and sha256 is not null
       ), told as (
         select distinct on (instance_id, lineage) instance_id, lineage,
           another_server || jsonb_build_object('backupId', id) as another_server
         from ranked where another_server is not null order by instance_id, lineage, rank
       )
       select r.instance_id as "instanceId", r.lineage as id, count(*)::int as backups,
         (array_agg(r.id order by r.rank))[1] as "newestBackupId",
         min(r.ended_at) as "firstCompletedAt", max(r.ended_at) as "lastCompletedAt",
         min(r.rank) = 1 as "isNewest", (array_agg(t.another_server))[1] as "anotherServer"
       from ranked r left join told t on t.instance_id = r.instance_id and t.lineage = r.lineage
       where r.lineage is not null
       group by r.instance_id, r.lineage order by r.instance_id, min(r.rank)`,
      [instanceIds],
    );
    return lineageRows.parse(found);
  }
}

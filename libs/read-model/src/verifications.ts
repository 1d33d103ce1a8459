/**
 * When each region was last seen to hold a backup whole. It is a table, and no view: no event tells that nothing was wrong. What is lost
 * of it is read again earlier than it would have to be. The list follows the views: what a region comes to hold is added with the
 * time of its completion, and what it holds no more goes.
 */
import type { DataSource } from 'typeorm';
import { z } from 'zod';

/** How the bytes in a region were proven: read back and hashed here, or compared by the store itself. */
export const verifiers = ['read', 'server'] as const;
export type Verifier = (typeof verifiers)[number];

export interface Verification {
  verifiedAt: Date;
  verifiedBy: Verifier;
}

/** What the region in $1 holds, as far as the views know. Where a backup was made, it lies until a copy is owed to that place. */
const there = `
  select c.backup_id, c.started_at, c.ended_at from copy_view c where c.region = $1 and c.status = 'COMPLETED'
  union all
  select b.id, b.started_at, b.ended_at from backup_view b
  where b.region = $1 and b.status in ('COMPLETED', 'MARKED') and b.sha256 is not null
    and not exists (select from copy_view c where c.backup_id = b.id and c.region = $1)`;

const dueRows = z.array(z.object({ backupId: z.string().nullable(), inMs: z.number() }));
const verifiedRows = z.array(
  z.object({ backupId: z.string(), region: z.string(), verifiedAt: z.date(), verifiedBy: z.enum(verifiers) }),
);
const lagRows = z.array(z.object({ region: z.string(), lagMs: z.number() }));

export class Verifications {
  constructor(private readonly dataSource: DataSource) {}

  /** Brings the list of a region up to date with the views. It reads all that the region holds, so it is for now and then. */
  async follow(region: string): Promise<void> {
    await this.dataSource.query(
      `with there as materialized (${there})
       insert into verification (backup_id, region, verified_at, looked_at, verified_by)
       select t.backup_id, $1, t.ended_at, t.ended_at,
         case when v.verified_by = 'server' and v.verified_at >= t.started_at then 'server' else 'read' end
       from there t left join verification v on v.backup_id = t.backup_id and v.region = $1
       where v.backup_id is null or v.verified_at < t.ended_at
       on conflict (backup_id, region) do update
         set verified_at = excluded.verified_at, looked_at = excluded.looked_at, verified_by = excluded.verified_by`,
      [region],
    );
    await this.dataSource.query(
      `with there as materialized (${there})
       delete from verification v where v.region = $1 and not exists (select from there t where t.backup_id = v.backup_id)`,
      [region],
    );
  }

  /** @returns the backup of the region that was looked at longest ago, when that is so long ago; else in how many milliseconds one is due */
  async next(region: string, everyMs: number): Promise<{ backupId: string } | { dueInMs: number }> {
    const rows: unknown = await this.dataSource.query(
      `select backup_id as "backupId", (extract(epoch from looked_at - now()) * 1000 + $2)::float8 as "inMs"
       from verification where region = $1 order by looked_at limit 1`,
      [region, everyMs],
    );
    const [row] = dueRows.parse(rows);
    if (!row?.backupId) return { dueInMs: Number.POSITIVE_INFINITY };
    return row.inMs <= 0 ? { backupId: row.backupId } : { dueInMs: row.inMs };
  }

  /** The region was seen to hold the backup whole. */
  async verified(region: string, backupId: string, verifiedBy: Verifier): Promise<void> {
    await this.dataSource.query(
      `update verification set verified_at = now(), looked_at = now(), verified_by = $3 where region = $1 and backup_id = $2`,
      [region, backupId, verifiedBy],
    );
  }

  /** The store of the region has copied the backup by itself, and its checksums are those of the manifest. Nobody has read it. */
  async copiedByServer(region: string, backupId: string): Promise<void> {
    await this.dataSource.query(
      `insert into verification (backup_id, region, verified_at, looked_at, verified_by) values ($2, $1, now(), now(), 'server')
       on conflict (backup_id, region) do update
         set verified_at = excluded.verified_at, looked_at = excluded.looked_at, verified_by = excluded.verified_by`,
      [region, backupId],
    );
  }

  /** The region could not tell of this backup: the others come first. */
  async putOff(region: string, backupId: string): Promise<void> {
    await this.dataSource.query('update verification set looked_at = now() where region = $1 and backup_id = $2', [
      region,
      backupId,
    ]);
  }

  /** The region does not hold the backup any more. */
  async forget(region: string, backupId: string): Promise<void> {
    await this.dataSource.query('delete from verification where region = $1 and backup_id = $2', [region, backupId]);
  }

  /** How long ago the backup of each region was verified that was verified longest ago. Regions without backups are left out. */
  async lags(regions: readonly string[]): Promise<{ region: string; lagMs: number }[]> {
    const rows: unknown = await this.dataSource.query(
      `select region, greatest(extract(epoch from now() - oldest.verified_at) * 1000, 0)::float8 as "lagMs"
       from unnest($1::text[]) as asked(region) cross join lateral (
         select verified_at from verification v where v.region = asked.region order by verified_at limit 1) oldest`,
      [regions],
    );
    return lagRows.parse(rows);
  }

  /** The newest verification of each backup in each region, by `BACKUP REGION`, as far as there was one after its completion. */
  async ofBackups(backupIds: readonly string[]): Promise<Map<string, Verification>> {
    if (backupIds.length === 0) return new Map();
    const rows: unknown = await this.dataSource.query(
      `select backup_id as "backupId", region, verified_at as "verifiedAt", verified_by as "verifiedBy"
       from verification where backup_id = any($1::uuid[])`,
      [backupIds],
    );
    return new Map(
      verifiedRows.parse(rows).map(({ backupId, region, ...verification }) => [`${backupId} ${region}`, verification]),
    );
  }
}

/**
 * When the bytes that completed at a time were last proven, and how: whoever completed them has read them back. What the store has compared
 * is noted before the completion is recorded, by the attempt that completes it: a process that dies between the two hides nothing.
 */
export function newestOf(
  { startedAt, endedAt }: { startedAt: Date | null; endedAt: Date | null },
  verification: Verification | undefined,
): Verification | undefined {
  if (!endedAt) return undefined;
  if (verification && verification.verifiedAt >= endedAt) return verification;
  const isOfAttempt = verification && startedAt !== null && verification.verifiedAt >= startedAt;
  return { verifiedAt: endedAt, verifiedBy: isOfAttempt ? verification.verifiedBy : 'read' };
}

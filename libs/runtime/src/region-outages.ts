/**
 * Which regions the processes of a deployment can't reach. Each process keeps its own view: one may have lost the way to a region that
 * the others reach. An outage is one row for each of them, from its beginning to its end, however much waits for it.
 */
import type { DataSource } from 'typeorm';
import { z } from 'zod';

export interface RegionOutage {
  region: string;
  since: Date;
  /** Of a fault of a vault. */
  code: string;
  /** Whole sentences that anybody may be told. */
  reason: string;
}

/** Says of an outage which region is away or full, since when, and why. */
export function messageOfOutage({ region, since, reason }: Omit<RegionOutage, 'code'>): string {
  return `Region ${region} has been out of use since ${since.toISOString().slice(0, 19)}Z: ${reason}`;
}

const rows = z.array(z.object({ region: z.string(), since: z.date(), code: z.string(), reason: z.string() }));

export class RegionOutages {
  /** Who sees no outage, as the table has it already. */
  private readonly seeNone = new Set<string>();

  constructor(private readonly dataSource: DataSource) {}

  /**
   * Has the outages that this process sees, and no others of it, be known. It is called every few seconds. The row of an outage is written each
   * time, to say that it goes on. Where there is none, and was none before, nothing is written.
   */
  async keep(seenBy: string, outages: readonly RegionOutage[]): Promise<void> {
    if (outages.length === 0 && this.seeNone.has(seenBy)) return;
    this.seeNone.delete(seenBy);
    await this.write(seenBy, outages);
    if (outages.length === 0) this.seeNone.add(seenBy);
  }

  private async write(seenBy: string, outages: readonly RegionOutage[]): Promise<void> {
    await this.dataSource.query(
      `with seen as (
         select * from jsonb_to_recordset($2::jsonb) as each (region text, since timestamptz, code text, reason text)
       ), gone as (
         delete from region_outage
         where (seen_by = $1 and region not in (select region from seen)) or seen_at < now() - interval '1 day'
       )
       insert into region_outage (region, seen_by, since, code, reason)
       select region, $1, since, code, reason from seen
       on conflict (region, seen_by) do update
         set since = excluded.since, code = excluded.code, reason = excluded.reason, seen_at = now()`,
      [seenBy, JSON.stringify(outages)],
    );
  }

  /** The outages that go on, each as the process tells it that met it first. */
  async known(): Promise<Map<string, RegionOutage>> {
    const found: unknown = await this.dataSource.query(
      `select distinct on (region) region, since, code, reason from region_outage
       where seen_at > now() - interval '1 minute' order by region, since`,
    );
    return new Map(rows.parse(found).map((outage) => [outage.region, outage]));
  }
}

/**
 * What has not ended, as the views show it. The search for lost jobs and timers compares it with those. It is read in order of
 * id, a step of a round at a time, so the cost of a step does not grow with their number. What has changed in the last five
 * minutes is left out, because a feed may take as long to bring an event, a broker's restart included.
 */
import type { RoundStep } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

/** A round of a million rows takes three hours, at a step a minute. */
const stepSize = 5_000;
/** A time that lies ahead was written by a clock that has been put right since. */
const isOld = (at: string) => `(${at} < now() - interval '5 minutes' or ${at} > now() + interval '5 minutes')`;

const row = z.object({ id: z.string(), accountId: z.string() });
const copyRow = row.extend({ lane: z.string(), totalBytes: z.number() });

export class Unfinished {
  constructor(private readonly dataSource: DataSource) {}

  /** Backups that were asked for and have not ended. */
  backups(after?: string): Promise<RoundStep<z.infer<typeof row>>> {
    return this.step(
      row,
      `select id, account_id as "accountId" from backup_view
       where status in ('NEW', 'BUILDING') and ${isOld('updated_at')} and ($1::uuid is null or id > $1)`,
      after,
    );
  }

  /**
   * Backups that are being deleted. A backup whose parent is being deleted is left out, because it is deleted with the parent.
   */
  deletions(after?: string): Promise<RoundStep<z.infer<typeof row>>> {
    return this.step(
      row,
      `select id, account_id as "accountId" from backup_view b
       where status = 'DELETING' and ${isOld('updated_at')} and ($1::uuid is null or id > $1)
         and not exists (select from backup_view p where p.id = b.parent_id and p.status = 'DELETING')`,
      after,
    );
  }

  /** Backups that are deleted and whose bytes are still to go. What was deleted with another one is left out. */
  purges(after?: string): Promise<RoundStep<z.infer<typeof row>>> {
    return this.step(
      row,
      `select id, account_id as "accountId" from backup_view
       where status = 'MARKED' and mark->>'rootId' = id::text and ${isOld('updated_at')} and ($1::uuid is null or id > $1)`,
      after,
    );
  }

  /** Instances whose server is to be built from a backup. */
  builds(after?: string): Promise<RoundStep<z.infer<typeof row>>> {
    return this.step(
      row,
      `select id, account_id as "accountId" from instance_view
       where status = 'BUILD' and ${isOld('updated_at')} and ($1::uuid is null or id > $1)`,
      after,
    );
  }

  /** Copies that are owed, each with its region as the lane. */
  copies(after?: string): Promise<RoundStep<z.infer<typeof copyRow>>> {
    return this.step(
      copyRow,
      `select id, account_id as "accountId", region as lane, size_bytes::float8 as "totalBytes" from copy_view
       where status in ('PENDING', 'COPYING') and ${isOld('updated_at')} and ($1::uuid is null or id > $1)`,
      after,
    );
  }

  /** Completed backups that are owed to a region for which there is no copy. */
  plans(after?: string): Promise<RoundStep<z.infer<typeof row>>> {
    return this.stepThrough(
      row,
      `select id, account_id as "accountId", status, region, copy_to, updated_at from backup_view`,
      `step.status = 'COMPLETED' and ${isOld('step.updated_at')} and exists (
         select from unnest(step.copy_to) as owed(region) where owed.region <> step.region
           and not exists (select from copy_view c where c.backup_id = step.id and c.region = owed.region))`,
      after,
    );
  }

  /** The newest slot of a schedule that has its outcome; undefined when none has. */
  async newestSlotOf(scheduleId: string): Promise<Date | undefined> {
    const rows: unknown = await this.dataSource.query(
      `select max(slot_at) as "slotAt" from (
         select slot_at from run_view where schedule_id = $1
         union all select slot_at from backup_view where schedule_id = $1
       ) decided`,
      [scheduleId],
    );
    return z.array(z.object({ slotAt: z.date().nullable() })).parse(rows)[0]?.slotAt ?? undefined;
  }

  /** Finds the next rows of a query that an index answers in order of id. */
  private async step<Row extends { id: string }>(
    form: z.ZodType<Row>,
    query: string,
    after: string | undefined,
  ): Promise<RoundStep<Row>> {
    const rows: unknown = await this.dataSource.query(`${query} order by id limit ${stepSize}`, [after ?? null]);
    const found = z.array(form).parse(rows);
    return { found, end: found.length < stepSize ? undefined : found.at(-1)?.id };
  }

  /** Reads the next rows of any kind, and finds those that meet the condition. */
  private async stepThrough<Row extends { id: string }>(
    form: z.ZodType<Row>,
    query: string,
    condition: string,
    after: string | undefined,
  ): Promise<RoundStep<Row>> {
    const rows: unknown = await this.dataSource.query(
      `with step as (${query} where $1::uuid is null or id > $1 order by id limit ${stepSize})
       select (select count(*) from step)::int as size, (select id from step order by id desc limit 1) as last,
         coalesce((select json_agg(step order by id) from step where ${condition}), '[]') as found`,
      [after ?? null],
    );
    const [step] = z
      .array(z.object({ size: z.int(), last: z.string().nullable(), found: z.array(form) }))
      .length(1)
      .parse(rows);
    return { found: step?.found ?? [], end: step?.size === stepSize ? (step.last ?? undefined) : undefined };
  }
}

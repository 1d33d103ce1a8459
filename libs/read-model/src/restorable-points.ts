/**
 * What the instances of schedules can be restored to, from where. Of each instance the newest backups are looked through, so a statement
 * takes as long as the page has schedules and regions, however many backups there are.
 */
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { chainIn } from './chain-in-region.js';
import { verifiers } from './verifications.js';

const pointRows = z.array(
  z.object({
    scheduleId: z.string(),
    region: z.string(),
    backupId: z.string(),
    slotAt: z.date().nullable(),
    type: z.enum(['full', 'incremental']),
    createdAt: z.date(),
    endedAt: z.date(),
    verifiedAt: z.date(),
    verifiedBy: z.enum(verifiers),
  }),
);
/** The newest backup that a region holds with all that it is built on. */
export type PointRow = z.infer<typeof pointRows>[number];

const missingRows = z.array(
  z.object({ scheduleId: z.string(), region: z.string(), owed: z.int(), lost: z.int(), failed: z.int() }),
);
/** How many backups a region does not hold and should. */
export type MissingRow = z.infer<typeof missingRows>[number];

const runRows = z.array(
  z.object({
    scheduleId: z.string(),
    id: z.string(),
    slotAt: z.date(),
    outcome: z.enum(['completed', 'failed', 'running', 'skipped', 'missed']),
    reason: z.string().nullable(),
    fault: z.object({ code: z.string(), reason: z.string() }).nullable(),
  }),
);
/** What became of a slot. */
export type OutcomeRow = z.infer<typeof runRows>[number];

const instanceRows = z.array(z.object({ scheduleId: z.string(), name: z.string().nullable(), hasOlder: z.boolean() }));
/** The instance of a schedule. */
export type InstanceOfSchedule = z.infer<typeof instanceRows>[number];

/** The schedules in $1, each with its instance. */
const chosen = `unnest($1::uuid[]) as chosen(id) join schedule_view s on s.id = chosen.id`;

/**
 * The order names the instance too: then the index of the instance's backups gives it, whatever the planner thinks of them. Whoever goes on in
 * the same order, without the instance, ends at the first backup that fits.
 */
const newestBackups = `
  select b.* from (
    select * from backup_view b where b.instance_id = s.instance_id order by b.instance_id, b.created_at desc, b.id desc limit $2
  ) b where b.status = 'COMPLETED'`;

export class RestorablePoints {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * For each of the schedules and each of the regions, what the region can restore; a region that can restore nothing is left out.
   * @param most how many of the newest backups of an instance are looked through
   */
  async points(scheduleIds: readonly string[], regions: readonly string[], most: number): Promise<PointRow[]> {
    const rows: unknown = await this.dataSource.query(
      `select s.id as "scheduleId", asked.region, b.id as "backupId", b.slot_at as "slotAt", b.type,
         b.created_at as "createdAt", b.ended_at as "endedAt", b.verified_at as "verifiedAt", b.verified_by as "verifiedBy"
       from ${chosen} cross join unnest($3::text[]) as asked(region)
       cross join lateral (
         select b.*, whole.verified_at, whole.verified_by from (${newestBackups}) b
         cross join lateral (
           ${chainIn('asked.region')}
           select min(greatest(c.ended_at, v.verified_at)) as verified_at,
             max(case when v.verified_at >= least(c.started_at, c.ended_at) then v.verified_by else 'read' end) as verified_by
           from chain c left join lateral (
             select * from verification v where v.backup_id = c.id and v.region = asked.region limit 1
           ) v on true
           having bool_and(c.is_there)
         ) whole
         order by b.created_at desc, b.id desc limit 1
       ) b`,
      [scheduleIds, most, regions],
    );
    return pointRows.parse(rows);
  }

  /** For each of the schedules, the regions that do not hold some of these backups and should. */
  async missing(scheduleIds: readonly string[], most: number): Promise<MissingRow[]> {
    const rows: unknown = await this.dataSource.query(
      `select s.id as "scheduleId", gap.region, count(*) filter (where not gap.is_failed and not gap.is_lost)::int as owed,
         count(*) filter (where not gap.is_failed and gap.is_lost)::int as lost, count(*) filter (where gap.is_failed)::int as failed
       from ${chosen}
       cross join lateral (${newestBackups}) b
       cross join lateral (
         select k.region, k.status = 'FAILED' as is_failed, k.region = b.region or k.owed_at > k.created_at as is_lost
         from copy_view k where k.backup_id = b.id and k.status in ('PENDING', 'COPYING', 'FAILED')
         union all
         select wanted.region, false, false from unnest(b.copy_to) as wanted(region)
         where wanted.region <> b.region and not exists (
           select from copy_view k where k.backup_id = b.id and k.region = wanted.region)
       ) gap
       group by s.id, gap.region`,
      [scheduleIds, most],
    );
    return missingRows.parse(rows);
  }

  /** What became of the newest slots of each schedule, the oldest first. */
  async outcomes(scheduleIds: readonly string[], most: number): Promise<OutcomeRow[]> {
    const rows: unknown = await this.dataSource.query(
      `select chosen.id as "scheduleId", r.id, r.slot_at as "slotAt", r.reason, r.fault,
         case when r.outcome <> 'ran' then r.outcome when r.fault is not null or b.status = 'FAILED' then 'failed'
           when b.status in ('NEW', 'BUILDING') then 'running' else 'completed' end as outcome
       from unnest($1::uuid[]) as chosen(id)
       cross join lateral (
         select r.* from run_view r where r.schedule_id = chosen.id and r.slot_at is not null
         order by r.schedule_id, r.slot_at desc limit $2
       ) r
       left join backup_view b on b.id = r.id
       order by chosen.id, r.slot_at, r.id`,
      [scheduleIds, most],
    );
    return runRows.parse(rows);
  }

  /** The name of each schedule's instance, and whether it has more backups than `most`. */
  async instances(scheduleIds: readonly string[], most: number): Promise<InstanceOfSchedule[]> {
    const rows: unknown = await this.dataSource.query(
      `select s.id as "scheduleId", i.name, exists (
         select from backup_view b where b.instance_id = s.instance_id
         order by b.instance_id, b.created_at desc, b.id desc offset $2
       ) as "hasOlder"
       from ${chosen} left join instance_view i on i.id = s.instance_id`,
      [scheduleIds, most],
    );
    return instanceRows.parse(rows);
  }
}

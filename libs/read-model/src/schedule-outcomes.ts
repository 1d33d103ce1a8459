/**
 * How the runs of schedules have ended, and from where each schedule can be restored. Triggers of the views keep the table
 * `schedule_outcome`, so it is as new as they are, whichever version of a service folds them.
 */
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { chainIn } from './chain-in-region.js';

const outcomeRows = z.array(
  z.object({
    scheduleId: z.string(),
    accountId: z.string(),
    activeSince: z.date(),
    lastSuccessAt: z.date(),
    completed: z.coerce.number(),
    failed: z.coerce.number(),
    skipped: z.coerce.number(),
    missed: z.coerce.number(),
  }),
);
/** What became of the runs of one schedule. */
export type ScheduleOutcome = z.infer<typeof outcomeRows>[number];

const restorableRows = z.array(z.object({ scheduleId: z.string(), region: z.string(), lastRestorableAt: z.date() }));
/** The newest state that one region can give back. */
export type Restorable = z.infer<typeof restorableRows>[number];

const idRows = z.array(z.object({ id: z.string() }));
const countRows = z.array(z.object({ count: z.int() })).length(1);
/** Nobody needs to know how many more are late. */
const mostCounted = 100_000;
/** Since when the next success has been waited for, as the index has it. */
const dueSince = 'greatest(active_since, last_success_at)';
const ms = (parameter: string) => `make_interval(secs => ${parameter}::float8 / 1000)`;

export class ScheduleOutcomes {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * The outcomes of schedules that are not paused. Those whose success has been waited for longer than `lateMs` come first, the latest of
   * them before the others; then come the others in order of id, so that the same ones are told of each time.
   * A schedule without a success has the time of its creation in place of it.
   */
  async first(most: number, lateMs: number): Promise<ScheduleOutcome[]> {
    if (most === 0) return [];
    const late = await this.ids(
      `select schedule_id as id from schedule_outcome where not paused and ${dueSince} < now() - ${ms('$2')}
       order by ${dueSince} limit $1`,
      [most, lateMs],
    );
    const others =
      late.length < most
        ? await this.ids(
            'select schedule_id as id from schedule_outcome where not paused order by schedule_id limit $1',
            [most],
          )
        : [];
    const ids = [...new Set([...late, ...others])].slice(0, most);
    const rows: unknown = await this.dataSource.query(
      `select o.schedule_id as "scheduleId", o.account_id as "accountId", o.active_since as "activeSince",
         coalesce(o.last_success_at, s.created_at) as "lastSuccessAt", o.completed, o.failed, o.skipped, o.missed
       from unnest($1::uuid[]) with ordinality as shown(id, place)
       join schedule_outcome o on o.schedule_id = shown.id join schedule_view s on s.id = shown.id order by shown.place`,
      [ids],
    );
    return outcomeRows.parse(rows);
  }

  /** How many schedules that are not paused have waited for a success for longer than that; at most 100,000. */
  late(lateMs: number): Promise<number> {
    // In order, so that the index is read whatever the planner believes of their number.
    return this.count(
      `select count(*)::int from (
         select from schedule_outcome where not paused and ${dueSince} < now() - ${ms('$1')}
         order by ${dueSince} limit ${mostCounted}) late`,
      [lateMs],
    );
  }

  /** How many schedules are not paused. It reads an index of all of them, so it is for now and then. */
  active(): Promise<number> {
    return this.count('select count(*)::int from schedule_outcome where not paused', []);
  }

  /**
   * For each of the schedules, and each region that should have its backups, when the newest backup was completed that lies there whole, with
   * everything that it is built on. Where there is none, it is when the schedule was changed last, or created.
   */
  async restorable(scheduleIds: readonly string[], homeRegion: string): Promise<Restorable[]> {
    const rows: unknown = await this.dataSource.query(
      `select s.id as "scheduleId", owed.region, coalesce(newest.ended_at, s.updated_at) as "lastRestorableAt"
       from schedule_view s
       cross join lateral (select unnest(s.copy_to) as region union select $2) owed
       left join lateral (
         select b.ended_at from backup_view b
         cross join lateral (${chainIn('owed.region')} select from chain c having bool_and(c.is_there)) whole
         where b.schedule_id = s.id and b.status = 'COMPLETED'
         order by b.created_at desc limit 1
       ) newest on true
       where s.id = any($1::uuid[])`,
      [scheduleIds, homeRegion],
    );
    return restorableRows.parse(rows);
  }

  private async ids(statement: string, values: unknown[]): Promise<string[]> {
    const rows: unknown = await this.dataSource.query(statement, values);
    return idRows.parse(rows).map(({ id }) => id);
  }

  private async count(statement: string, values: unknown[]): Promise<number> {
    const rows: unknown = await this.dataSource.query(statement, values);
    return countRows.parse(rows)[0]?.count ?? 0;
  }
}

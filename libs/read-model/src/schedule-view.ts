/** The view of an account's schedules, with the activity that their runs show. */
import type { RecordedEvent } from '@strongroom/contracts';
import { SharedStatements } from '@strongroom/ledger';
import { type DataSource, EntitySchema, In, MoreThan } from 'typeorm';
import { z } from 'zod';
import { cut, type Page, type PageRequest, type View, type ViewRow } from './view.js';

export interface ScheduleRow extends ViewRow {
  instanceId: string;
  dayOfWeek: number;
  hour: number;
  minute: number;
  fullBackupRetention: number;
  copyTo: string[];
  paused: boolean;
  /** Why it is paused, where somebody has said so. */
  pauseReason: string | null;
  createdAt: Date;
  updatedAt: Date;
}

/** What the runs of a schedule show. */
export interface ScheduleActivity {
  /** Whether a backup of the schedule is requested or running. */
  running: boolean;
  /** When its newest backup was requested, even when that backup is not there any more. */
  lastRunAt: Date | null;
}

export const scheduleTable = new EntitySchema<ScheduleRow>({
  name: 'ScheduleView',
  tableName: 'schedule_view',
  columns: {
    id: { type: 'uuid', primary: true },
    accountId: { type: 'text', name: 'account_id' },
    instanceId: { type: 'uuid', name: 'instance_id' },
    dayOfWeek: { type: 'smallint', name: 'day_of_week' },
    hour: { type: 'smallint' },
    minute: { type: 'smallint' },
    fullBackupRetention: { type: 'integer', name: 'full_backup_retention' },
    copyTo: { type: 'text', array: true, name: 'copy_to' },
    paused: { type: 'boolean' },
    pauseReason: { type: 'text', name: 'pause_reason', nullable: true },
    createdAt: { type: 'timestamptz', name: 'created_at' },
    updatedAt: { type: 'timestamptz', name: 'updated_at' },
    version: { type: 'integer' },
  },
});

const defined = (
  before: Pick<ScheduleRow, 'createdAt' | 'pauseReason'> | undefined,
  { accountId, at, version, data, context }: RecordedEvent<'ScheduleCreated'> | RecordedEvent<'ScheduleUpdated'>,
): ScheduleRow => {
  const { scheduleId, ...definition } = data;
  const updatedAt = new Date(at);
  // A change of something else leaves the pause and its reason as they are.
  const pauseReason = data.paused ? (context.reason ?? before?.pauseReason ?? null) : null;
  const createdAt = before?.createdAt ?? updatedAt;
  return { id: scheduleId, accountId, ...definition, pauseReason, createdAt, updatedAt, version };
};

export const scheduleView: View<'schedule', ScheduleRow> = {
  aggregate: 'schedule',
  table: scheduleTable,
  fold: {
    ScheduleCreated: (_, event) => defined(undefined, event),
    ScheduleUpdated: (row, event) => row && defined(row, event),
    ScheduleDeleted: () => undefined,
  },
};

const activityRows = z.array(
  z.object({ schedule_id: z.string(), running: z.boolean(), last_run_at: z.date().nullable() }),
);

export interface PageOfInstances {
  instanceId?: string | undefined;
  /** The only instances whose schedules are asked for. Default: all. */
  among?: readonly string[] | undefined;
}

/** How many schedules are found by one statement. */
const mostFound = 100;

export class Schedules {
  private readonly finds = new SharedStatements<string, ScheduleRow | undefined>(mostFound, async (ids) => {
    const rows = await this.dataSource.manager.findBy(scheduleTable, { id: In([...new Set(ids)]) });
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => found.get(id));
  });

  constructor(private readonly dataSource: DataSource) {}

  /** Those who look for schedules at once share a statement. */
  async find(accountId: string, id: string): Promise<ScheduleRow | undefined> {
    const row = await this.finds.do(id);
    return row?.accountId === accountId ? row : undefined;
  }

  async ofInstances(accountId: string, instanceIds: string[]): Promise<ScheduleRow[]> {
    return this.dataSource.manager.find(scheduleTable, { where: { accountId, instanceId: In(instanceIds) } });
  }

  /** The page after the marker, in order of id. */
  async page(
    accountId: string,
    { limit, marker, instanceId, among }: PageRequest & PageOfInstances,
  ): Promise<Page<ScheduleRow>> {
    const rows = await this.dataSource.manager.find(scheduleTable, {
      where: {
        accountId,
        ...(marker === undefined ? {} : { id: MoreThan(marker) }),
        ...(instanceId === undefined
          ? among !== undefined && { instanceId: In([...among]) }
          : { instanceId: among?.includes(instanceId) === false ? In([]) : instanceId }),
      },
      order: { id: 'asc' },
      take: limit + 1,
    });
    return cut(rows, limit);
  }

  /** The activity of each schedule, by its id. A schedule that never ran is included. */
  async activity(scheduleIds: string[]): Promise<Map<string, ScheduleActivity>> {
    const rows: unknown = await this.dataSource.query(
      `select asked.id as schedule_id,
         coalesce(newest.status in ('NEW', 'BUILDING'), false) as running,
         (select max(r.created_at) from run_view r where r.schedule_id = asked.id and r.outcome = 'ran') as last_run_at
       from unnest($1::uuid[]) as asked(id)
       left join lateral (
         select b.status from backup_view b where b.schedule_id = asked.id order by b.created_at desc limit 1
       ) newest on true`,
      [scheduleIds],
    );
    return new Map(
      activityRows.parse(rows).map((row) => [row.schedule_id, { running: row.running, lastRunAt: row.last_run_at }]),
    );
  }
}

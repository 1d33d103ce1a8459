/**
 * Schedules as the text of the API's JSON. One statement tells whether the views are up to date and gives the page, so that a read costs
 * the database once, and the gateway only carries it. What is set aside has no text: the gateway has words for it.
 */
import type { ScheduleResource } from '@strongroom/contracts';
import { SharedStatements } from '@strongroom/ledger';
import { boundFor, isAsideSql, madeOnce, prepared } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { escapedText, objectText, orNull, plainText, zonelessText } from './json-text.js';
import type { PageOfInstances } from './schedule-view.js';
import type { PageRequest } from './view.js';
import { stateColumns, type ViewState, viewState } from './view-state.js';

/** The text of the schedule in the row `s`. @param now the instant as SQL */
function textOfSchedule(now: string): string {
  return objectText<Omit<ScheduleResource, 'fault'>>({
    action: `'"backup"'`,
    created: zonelessText('s.created_at'),
    day_of_month: `'null'`,
    day_of_week: 's.day_of_week',
    full_backup_retention: 's.full_backup_retention',
    hour: 's.hour',
    id: plainText('s.id'),
    instance_id: plainText('s.instance_id'),
    last_scheduled: orNull(
      zonelessText(`(select max(r.created_at) from run_view r where r.schedule_id = s.id and r.outcome = 'ran')`),
    ),
    minute: 's.minute',
    month: `'null'`,
    next_run: `case when s.paused then 'null' else ${zonelessText(nextRun(now))} end`,
    running: `case when (
        select b.status from backup_view b where b.schedule_id = s.id order by b.created_at desc limit 1
      ) in ('NEW', 'BUILDING') then '1' else '0' end`,
    source: objectText<ScheduleResource['source']>({ id: plainText('s.instance_id'), type: `'"instance"'` }),
    updated: zonelessText('s.updated_at'),
    copy_to: 'array_to_json(s.copy_to)::text',
    paused: `case when s.paused then 'true' else 'false' end`,
    pause_reason: orNull(escapedText('s.pause_reason')),
    version: 's.version',
  });
}

/** The first time of day of the schedule after an instant. */
function nextRun(now: string): string {
  const today = `(date_trunc('day', ${now}, 'UTC') + make_interval(hours => s.hour, mins => s.minute))`;
  return `(${today} + case when ${today} > ${now} then interval '0' else interval '24 hours' end)`;
}

/** What a schedule needs to fire. When something of it is set aside, the schedule has no text. */
const isAside = isAsideSql([
  { kind: 'schedule', id: 's.id::text' },
  { kind: 'stream', id: `'schedule-' || s.id` },
  { kind: 'stream', id: `'instance-' || s.instance_id` },
]);

const beforeAll = '00000000-0000-0000-0000-000000000000';

const pages = z
  .array(
    viewState.extend({
      /** Whether the marker is the id of a schedule in the list. */
      is_known: z.boolean(),
      rows: z.int(),
      last: z.string().nullable(),
      /** Whether each schedule of the page has a text. */
      is_whole: z.boolean(),
      /** The texts with commas between them; null for none. */
      items: z.string().nullable(),
    }),
  )
  .length(1);

const ones = z.array(
  viewState.extend({
    instance_id: z.string().nullable(),
    version: z.int().nullable(),
    item: z.string().nullable(),
  }),
);

/** How many schedules one statement gives at most. */
const mostTogether = 100;

interface AskedOne {
  accountId: string;
  id: string;
  now: Date;
}

/** One schedule: null is the text of one that is set aside. */
export interface TextOfSchedule {
  instanceId: string;
  version: number;
  text: string | null;
}

/** A page: null is the text of one in which a schedule is set aside. */
export interface TextOfPage {
  /** JSON values with commas between them. */
  text: string | null;
  /** The id of the last schedule; undefined when there is none. */
  last: string | undefined;
  more: boolean;
}

interface FoundOne {
  /** Of the views of its account. */
  state: ViewState;
  /** Undefined when there is none. */
  found: TextOfSchedule | undefined;
}

export class ScheduleTexts {
  /** The schedules that many clients ask for at a time are one statement: for one schedule, it costs more to ask than to answer. */
  private readonly ones = new SharedStatements<AskedOne, FoundOne>(mostTogether, (asked) => this.readOnes(asked));

  constructor(private readonly dataSource: DataSource) {}

  /** What was asked for at the same time is read together. */
  one(accountId: string, id: string, now: Date): Promise<FoundOne> {
    return this.ones.do({ accountId, id, now });
  }

  private async readOnes(asked: readonly AskedOne[]): Promise<FoundOne[]> {
    const found = await prepared(this.dataSource, schedulesAsked, [
      asked.map(({ accountId }) => accountId),
      asked.map(({ id }) => id),
      asked.map(({ now }) => now.toISOString()),
    ]);
    return ones.parse(found).map(({ instance_id: instanceId, version, item: text, ...state }) => {
      const isThere = instanceId !== null && version !== null;
      return { state, found: isThere ? { instanceId, version, text } : undefined };
    });
  }

  /** @returns with the state of the views, the page; undefined when the marker is the id of no schedule in the list */
  async page(accountId: string, { limit, marker, instanceId, among }: PageRequest & PageOfInstances, now: Date) {
    const values: unknown[] = [accountId, marker ?? beforeAll, limit, now];
    const also = (condition: string, value: unknown) => `and ${condition.replace('?', `$${values.push(value)}`)}`;
    const reached = among === undefined ? '' : also('s.instance_id = any(?::uuid[])', among);
    const wanted = instanceId === undefined ? '' : also('s.instance_id = ?', instanceId);
    const found = await prepared(this.dataSource, pageOfSchedules(boundFor(limit), reached, wanted), values);
    const [row] = pages.parse(found);
    if (!row) throw new TypeError('a select without a from gives one row');
    const page: TextOfPage | undefined =
      marker !== undefined && !row.is_known
        ? undefined
        : { text: row.is_whole ? (row.items ?? '') : null, last: row.last ?? undefined, more: row.rows > limit };
    return { state: row, found: page };
  }
}

/**
 * One walk along the index for each schedule, whatever the statistics say. The planner does not see how long the arrays are: where it does, it takes the
 * plan for these very schedules to be cheaper than the one that it has prepared, and plans anew each time, which takes longer than to answer.
 */
const schedulesAsked = `
  select ${stateColumns('asked.account_id')}, s.instance_id, s.version, s.item
  from unnest((select $1::text[]), (select $2::uuid[]), (select $3::timestamptz[])) with ordinality as asked(account_id, id, now, place)
  left join lateral (
    select s.instance_id, s.version, case when not (${isAside}) then ${textOfSchedule('asked.now')} end as item
    from schedule_view s where s.account_id = asked.account_id and s.id = asked.id limit 1
  ) s on true order by asked.place`;

/** The order names the account too: then only the index of the account's schedules gives it, whatever the planner thinks of them. */
const pageOfSchedules = madeOnce(
  (bound: number, reached: string, wanted: string) => `
    with page as materialized (
      select * from (
        select * from schedule_view s where s.account_id = $1 and s.id > $2 ${reached} ${wanted}
        order by s.account_id, s.id limit ${bound}
      ) s order by s.account_id, s.id limit $3::int + 1
    ), shown as materialized (
      select s.id, case when not (${isAside}) then ${textOfSchedule('$4::timestamptz')} end as text
      from (select * from page order by id limit $3::int) s
    )
    select ${stateColumns('$1')},
      exists (select from schedule_view s where s.account_id = $1 and s.id = $2 ${reached}) as is_known,
      (select count(*)::int from page) as rows,
      (select id from shown order by id desc limit 1) as last,
      not exists (select from shown where text is null) as is_whole,
      (select string_agg(text, ',' order by id) from shown) as items`,
);

/**
 * Schedules by the million, as the service would have made them: events, claims, quotas, views and timers, each with what a scheduler keeps
 * with a timer once it has decided a slot. The events are linked by nothing, as those of versions before links.
 */
import { setTimeout as delay } from 'node:timers/promises';

const perAccount = 1_000;
const atOnce = 50_000;
export const minuteMs = 60_000;
/** A slot that is decided later is told as delayed, which is another event. */
const latestMs = 40_000;

/**
 * Makes schedules by statements of 50,000.
 * @param queries each runs a statement on a connection of its own
 * @param options.count how many; `account` is SQL that gives the account by the number `n`
 * @param options.slotAt when their next slot is; without it, they are spread over the day, from two hours on
 * @param options.views whether they are in the views of instances and schedules, which no slot reads that is planned full
 */
export async function makeSchedules(queries, { first, count, slotAt, account, views = true }) {
  let from = first;
  const make = async (query) => {
    while (from < first + count) {
      const begin = from;
      from += atOnce;
      const end = Math.min(begin + atOnce, first + count) - 1;
      await query(statement(account ?? `'bench-' || n / ${perAccount}`, views), [begin, end, slotAt ?? null]);
    }
  };
  await Promise.all([queries].flat().map(make));
}

const filled = `array['ledger_event', 'ledger_claim', 'slot_timer', 'instance_view', 'schedule_view']::regclass[]`;

/** Makes many schedules: the indexes of their tables are made anew afterwards, which takes less time than to keep them up to date. */
export async function fill(queries, options) {
  const [query] = queries;
  // A crash would have the measurement begun anew, so no page is written to the log twice, and nothing else cleans up meanwhile.
  await setServer(query, { full_page_writes: 'off', autovacuum: 'off' });
  const indexes = await query(
    `select i.indrelid::regclass::text as of, i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as made,
       c.conname as constraint, pg_get_constraintdef(c.oid) as as_constraint
     from pg_index i left join pg_constraint c on c.conindid = i.indexrelid where i.indrelid = any(${filled})`,
  );
  for (const { of, name, constraint } of indexes) {
    await query(constraint ? `alter table ${of} drop constraint ${constraint}` : `drop index ${name}`);
  }
  for (const each of queries) await each('set synchronous_commit = off');
  // What it notes of each schedule would be looked for in a table without an index.
  const notes = 'trigger schedule_view_begins_outcomes';
  await query(`alter table schedule_view disable ${notes}`);
  await makeSchedules(queries, options);
  for (const each of queries) await each('reset synchronous_commit');
  await query(`set maintenance_work_mem = '512MB'`);
  for (const { of, made, constraint, as_constraint: definition } of indexes) {
    await query(constraint ? `alter table ${of} add constraint ${constraint} ${definition}` : made);
  }
  await query(`alter table schedule_view enable ${notes}`);
  await query(
    `insert into schedule_outcome (schedule_id, account_id, paused, active_since)
     select id, account_id, paused, updated_at from schedule_view`,
  );
  await viewsAreThere(query);
  await query('vacuum analyze');
  await setServer(query, { full_page_writes: undefined, autovacuum: undefined });
}

/** Changes settings of the server; those without a value are as they were when it started. */
async function setServer(query, settings) {
  for (const [name, value] of Object.entries(settings))
    await query(value ? `alter system set ${name} = '${value}'` : `alter system reset ${name}`);
  await query('select pg_reload_conf()');
}

const intoViews = `, instances as (
    insert into instance_view (id, account_id, name, datastore_type, datastore_version, endpoint, created_at, updated_at, version)
    select instance_id, account_id, 'orders-' || n, 'postgresql', '18',
      '{"host": "db.example", "port": 5432, "user": "backup", "database": "postgres", "tls": "require"}', at, at, 1 from told
  ), schedules as (
    insert into schedule_view (id, account_id, instance_id, day_of_week, hour, minute, full_backup_retention, copy_to, paused, created_at, updated_at, version)
    select schedule_id, account_id, instance_id, 7, hour, minute, 2, '{IAD,ORD}', false, at, at, 1 from told
  )`;

const statement = (account, views) => `
  with numbered as (
    select n, ${account} as account_id,
      coalesce($3::timestamptz, date_trunc('hour', now()) + interval '2 hours' + (n % 1260) * interval '1 minute') as slot_at
    from generate_series($1::int, $2::int) n
  ), made as (
    select *, slot_at - interval '20 days' as at, extract(hour from slot_at at time zone 'UTC')::int as hour,
      extract(minute from slot_at at time zone 'UTC')::int as minute,
      -- As UUIDv7, whose first part rises with the time.
      (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 3) || substr(h, 7, 12))::uuid as schedule_id,
      (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(h, 3, 3) || '9' || substr(h, 6, 3) || substr(h, 9, 12))::uuid as instance_id
    from numbered cross join lateral (select md5(n::text || random()::text) as h) hashed
  ), told as (
    select *, jsonb_build_object('dayOfWeek', 7, 'hour', hour, 'minute', minute, 'fullBackupRetention', 2, 'copyTo', '["IAD", "ORD"]'::jsonb,
      'paused', false) as definition
    from made
  ), events as (
    insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
    select gen_random_uuid(), e.stream, 1, e.aggregate, e.type, account_id, instance_id, at, e.data,
      '{"requestId": "bench", "correlationId": "bench", "causationId": null, "actor": "bench"}'
    from told cross join lateral (values
      ('instance-' || instance_id, 'instance', 'InstanceRegistered', jsonb_build_object('instanceId', instance_id, 'name', 'orders-' || n,
        'datastore', '{"type": "postgresql", "version": "18"}'::jsonb,
        'endpoint', '{"host": "db.example", "port": 5432, "user": "backup", "database": "postgres", "tls": "require"}'::jsonb)),
      ('schedule-' || schedule_id, 'schedule', 'ScheduleCreated', jsonb_build_object('scheduleId', schedule_id, 'instanceId', instance_id) || definition)
    ) e(stream, aggregate, type, data)
  ), claims as (
    insert into ledger_claim (kind, key, stream) select 'schedule-of-instance', instance_id::text, 'schedule-' || schedule_id from told
  ), quotas as (
    insert into ledger_quota (kind, key, used)
    select k.kind, account_id, count(*) from told cross join (values ('schedules-of-account'), ('instances-of-account')) k(kind) group by 1, 2
    on conflict (kind, key) do update set used = ledger_quota.used + excluded.used
  )${views ? intoViews : ''}
  insert into slot_timer (schedule_id, account_id, instance_id, hour, minute, version, turn, next_slot_at, basis)
  select schedule_id, account_id, instance_id, hour, minute, 1, row_number() over (partition by account_id, slot_at order by n) - 1, slot_at, jsonb_build_object('accountId', account_id, 'instanceId', instance_id,
    'scheduleVersion', 1, 'instanceVersion', 1, 'since', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'definition', definition,
    'instance', jsonb_build_object('name', 'orders-' || n, 'datastore', '{"type": "postgresql", "version": "18"}'::jsonb))
  from told`;

/** The views of all accounts reflect every event. */
export async function viewsAreThere(query) {
  await query(
    `insert into view_head (account_id, position, whole_until)
     select key, newest.position, newest.position from ledger_quota cross join lateral (
       select position from ledger_event e where e.account_id = key order by position desc limit 1
     ) newest where kind = 'schedules-of-account'
     on conflict (account_id) do update set position = excluded.position, whole_until = excluded.whole_until`,
  );
}

/** How far the ledger is, and how many timers go on to the day after a slot: what is counted comes after that. */
export async function before(query, slotAt) {
  const [row] = await query(
    `select (select max(position) from ledger_event) as position,
       (select count(*)::int from slot_timer where next_slot_at = $1::timestamptz + interval '1 day') as armed`,
    [slotAt],
  );
  return row;
}

/** Waits, where it must, so that what is due at the minute that has begun is fired before it counts as late. */
export async function minuteForSlots(needMs) {
  const into = Date.now() % minuteMs;
  if (into + needMs > latestMs) await delay(minuteMs - into + 50);
  return new Date(Math.floor(Date.now() / minuteMs) * minuteMs);
}

/** What became of a slot: how many starts there are, of how many schedules, with how many jobs, and how many timers go on to the next day. */
export async function outcomeOf(query, slotAt, { position, armed }) {
  const [row] = await query(
    `with started as (
       select data->>'scheduleId' as schedule, data->>'backupId' as backup, type from ledger_event
       where position > $2 and aggregate = 'backup' and data->>'slotAt' = $1
     ) select count(*) filter (where type = 'BackupRequested')::int as starts, count(distinct schedule)::int as distinct,
         count(*) filter (where type <> 'BackupRequested')::int as others,
         (select count(*)::int from job j where j.kind = 'backup' and exists (select from started s where s.backup = j.id::text)) as jobs,
         (select count(*)::int from slot_timer where next_slot_at = $1::timestamptz + interval '1 day') as armed
       from started`,
    [slotAt.toISOString(), position],
  );
  return { ...row, armed: row.armed - armed };
}

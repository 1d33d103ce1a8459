-- Where the pause of a schedule begins, and where a reason for it was given at last, as it was known at an instant. Owner: libs/ledger.
--
-- Input: the name of the schedule's stream, and the instant; infinity for now.
-- Answer: the rows of one event or two, by version. Of a schedule that ran then, or was deleted, there are none.
--
-- Guards:
--   * It is stable, so it sees what the statement that calls it sees.
--   * However often the schedule was changed, it reads the first 32 events and some events more.
--   * No plan hangs on statistics: sorts are off, and the order that is asked for is that of the index of long pauses alone.
create or replace function ledger_pause_of(schedule_stream text, known_until timestamptz)
  returns setof ledger_event
  language plpgsql stable
  set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan
  set max_parallel_workers_per_gather = 0 set jit = off as $$
declare
  known integer := ledger_version_known(schedule_stream, known_until);
  ran integer;
  reasoned integer;
  begun integer;
begin
  if not exists (
    select from ledger_event e where e.stream = schedule_stream and e.version = known and (e.data ->> 'paused') = 'true'
  ) then
    return;
  end if;
  if known > 32 then
    ran := (
      select e.version from ledger_event e
      where e.stream = schedule_stream and e.version > 32 and e.type = 'ScheduleUpdated' and e.at <= known_until
        and ((e.data ->> 'paused') = 'false' or (e.context ->> 'reason') is not null)
        and ((e.data ->> 'paused'), e.version) <= ('false', known) and (e.data ->> 'paused') >= 'false'
      order by (e.data ->> 'paused') desc, e.version desc limit 1
    );
    reasoned := (
      select e.version from ledger_event e
      where e.stream = schedule_stream and e.version > 32 and e.type = 'ScheduleUpdated' and e.at <= known_until
        and ((e.data ->> 'paused') = 'false' or (e.context ->> 'reason') is not null)
        and ((e.data ->> 'paused'), e.version) <= ('true', known) and (e.data ->> 'paused') >= 'true'
      order by (e.data ->> 'paused') desc, e.version desc limit 1
    );
  end if;
  ran := coalesce(ran, (
    select max(e.version) from ledger_event e
    where e.stream = schedule_stream and e.version <= least(32, known) and e.at <= known_until
      and (e.data ->> 'paused') is distinct from 'true'
  ), 0);
  reasoned := coalesce(reasoned, (
    select max(e.version) from ledger_event e
    where e.stream = schedule_stream and e.version <= least(32, known) and e.at <= known_until
      and (e.context ->> 'reason') is not null
  ));
  begun := (
    select min(e.version) from ledger_event e
    where e.stream = schedule_stream and e.version > ran and e.version <= known and e.at <= known_until
  );
  return query
  select * from ledger_event e
  where e.stream = schedule_stream and e.version in (begun, case when reasoned > ran then reasoned end)
  order by e.version;
end $$;

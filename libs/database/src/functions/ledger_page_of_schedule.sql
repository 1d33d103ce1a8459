-- A page of the events of a schedule and of its runs, the newest first: of those that explain it. Owner: libs/ledger.
--
-- Input: the id of the schedule; the time and the position before which the events are; and how many are wanted at most.
-- Answer: the rows of the events, by time and position, the newest first.
--
-- Guards:
--   * It is stable, so it sees what the statement that calls it sees.
--   * It reads what it gives and no more, from whatever time. No plan hangs on statistics: sorts are off, and only the index
--     ledger_event_of_schedule, which has the same types, has the order.
create or replace function ledger_page_of_schedule(schedule_id text, before_at timestamptz, before_position bigint, most integer)
  returns setof ledger_event
  language plpgsql stable
  set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan
  set max_parallel_workers_per_gather = 0 set jit = off as $$
begin
  return query
  select * from ledger_event e
  where (e.data ->> 'scheduleId') = schedule_id
    and e.type in ('ScheduleCreated', 'ScheduleUpdated', 'ScheduleDeleted', 'SlotSkipped', 'SlotMissed', 'BackupRequested',
      'BackupDelayed', 'BackupMadeFull', 'BackupCompleted', 'BackupFailed')
    and (e.at, e.position) < (before_at, before_position)
  order by e.at desc, e.position desc limit most;
end $$;

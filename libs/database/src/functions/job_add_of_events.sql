-- Adds the jobs that events ask for, in the transaction that records the events. Owner: libs/runtime.
--
-- Input: arrays of one length, with a place for each job: which request asks for it by which of its events, and what job_add takes. The
--   lane is '' where there is none. Then, by the number of each request, the position of its first event; null where it was not appended.
-- Answer: none.
--
-- Guards:
--   * As job_add: a job that is there already is asked for once more, jobs are written in order of their key, each leaves a row in job_news
--     for the handler of its event, and the caller needs no right on the tables.
--   * As job_add_with_events: the caller holds the ledger's lock, so nobody is waited for longer than 100 ms. After such a wait none of the
--     jobs is added, and job_news gets no row. The news of the events adds them.
--   * It takes arrays, because a JSON of them costs as much as the rows. One statement writes both tables.
create or replace function job_add_of_events(
  asked_by integer[], asked_place integer[], kinds text[], ids uuid[], lanes text[], accounts text[], totals bigint[],
  numbers integer[], first_positions bigint[]
) returns void
  language plpgsql security definer set search_path from current set lock_timeout = '100ms' set enable_seqscan = off
  set plan_cache_mode = force_generic_plan as $$
begin
  with asked as materialized (
    select a.kind, a.id, a.lane, a.account_id, a.total_bytes, written.position + a.place as position
    from unnest(asked_by, asked_place, kinds, ids, lanes, accounts, totals) as a(request, place, kind, id, lane, account_id, total_bytes)
    join unnest(numbers, first_positions) as written(request, position) on written.request = a.request
    where written.position is not null
  ), news as (
    insert into job_news (position, kind) select distinct a.position, a.kind from asked a on conflict do nothing
  )
  insert into job (kind, id, lane, account_id, ready_at, paused_at, total_bytes)
  select distinct on (a.kind, a.id) a.kind, a.id, a.lane, a.account_id, now(), now(), a.total_bytes from asked a
  order by a.kind, a.id, a.position
  on conflict (kind, id) do update set asked = job.asked + 1;
exception when lock_not_available or deadlock_detected then
  null;
end $$;

-- A page of the events of some streams, the newest first. Owner: libs/ledger.
--
-- Input: the names of the streams; the time and the position before which the events are; and how many are wanted at most.
-- Answer: the rows of the events, by time and position, the newest first.
--
-- Guards:
--   * It is stable, so it sees what the statement that calls it sees.
--   * Of each stream it reads the first 32 events, and of a longer one as many as are wanted, from whatever time.
--   * No plan hangs on statistics: sorts are off, and of a long stream only one index has the order.
create or replace function ledger_page_of_streams(streams text[], before_at timestamptz, before_position bigint, most integer)
  returns setof ledger_event
  language plpgsql stable
  set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan
  set max_parallel_workers_per_gather = 0 set jit = off as $$
begin
  return query
  select e.*
  from unnest(streams) as named(stream) cross join lateral (
    select f.* from ledger_event f where f.stream = named.stream and f.version <= 32
    union all
    select newest.* from (
      select l.* from ledger_event l
      where l.stream = named.stream and l.version > 32 and (l.at, l.position) < (before_at, before_position)
      order by l.at desc, l.position desc limit most
    ) newest
  ) e
  where (e.at, e.position) < (before_at, before_position)
  order by e.at desc, e.position desc limit most;
end $$;

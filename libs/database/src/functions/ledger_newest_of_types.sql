-- The newest event of each type in each of some streams, as it was known at an instant. Owner: libs/ledger.
--
-- Input: the names of the streams, the types of events that are asked for, and the instant; infinity for now.
-- Answer: the rows of the events, by stream and type. Types that are not asked for may be among them.
--
-- Guards:
--   * It is stable, so it sees what the statement that calls it sees.
--   * Of each stream it reads the first 32 events, and of a longer one an event of each type that is asked for: as many of a stream of a
--     million events as of one of a hundred.
--   * No plan hangs on statistics: sorts are off, and the order that is asked for is that of the index of long streams alone.
create or replace function ledger_newest_of_types(streams text[], types text[], known_until timestamptz)
  returns setof ledger_event
  language plpgsql stable
  set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan
  set max_parallel_workers_per_gather = 0 set jit = off as $$
begin
  return query
  select distinct on (e.stream, e.type) e.*
  from (
    select named.stream, ledger_version_known(named.stream, known_until) as version from unnest(streams) as named(stream) offset 0
  ) known cross join lateral (
    select f.* from ledger_event f where f.stream = known.stream and f.version <= least(32, known.version)
    union all
    select of_type.* from unnest(types) as asked(type) cross join lateral (
      select l.* from ledger_event l
      where l.stream = known.stream and l.version > 32 and l.at <= known_until
        and (l.type, l.version) <= (asked.type, known.version) and l.type >= asked.type
      order by l.type desc, l.version desc limit 1
    ) of_type
    where known.version > 32
  ) e
  where e.at <= known_until
  order by e.stream, e.type, e.version desc;
end $$;

-- Up to which version a stream was known at an instant. Owner: libs/ledger.
--
-- Input: the name of the stream, and the instant; infinity for now.
-- Answer: the version; 0 when nothing of the stream was known then, or it does not exist.
--
-- Guards:
--   * It is stable, so it sees what the statement that calls it sees.
--   * An event was known at the instants from its recorded time on. Where a clock was ahead, an event has a later time than those after it. So of
--     a long stream the event with the latest time that counts is found, and then those that count among the 32 after it, and so on.
--   * However long the stream is, some entries of an index are read, or the first 32 events. No plan hangs on statistics: sorts are off,
--     and only one index has the order.
create or replace function ledger_version_known(stream_name text, known_until timestamptz) returns integer
  language plpgsql stable
  set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan
  set max_parallel_workers_per_gather = 0 set jit = off as $$
declare
  known integer;
  later integer;
begin
  if known_until = 'infinity' then
    return coalesce((select e.version from ledger_event e where e.stream = stream_name order by e.version desc limit 1), 0);
  end if;
  later := (
    select e.version from ledger_event e where e.stream = stream_name and e.version > 32 and e.at <= known_until
    order by e.at desc, e.position desc limit 1
  );
  if later is null then
    return coalesce((
      select max(e.version) from ledger_event e where e.stream = stream_name and e.version <= 32 and e.at <= known_until
    ), 0);
  end if;
  while later is not null loop
    known := later;
    later := (
      select max(e.version) from ledger_event e
      where e.stream = stream_name and e.version > known and e.version <= known + 32 and e.at <= known_until
    );
  end loop;
  return known;
end $$;

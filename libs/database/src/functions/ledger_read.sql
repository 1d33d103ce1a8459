-- Reads streams of the ledger. Owner: libs/ledger.
--
-- Input: the names of the streams.
-- Answer: their events, by stream and version. A stream that does not exist has none.
--
-- Guards:
--   * It is stable, so it sees what the statement that calls it sees.
--   * A session makes its plan once, and it is that of the index of streams, also when it was made while the table was small.
--   * Without statistics the planner takes each stream for a part of the ledger. It would start other processes to read a few rows, or
--     compile the plan: both take longer than the read.
create or replace function ledger_read(streams text[])
  returns table ("position" bigint, id uuid, stream text, version integer, type text, account_id text, instance_id uuid, at timestamptz, data jsonb, context jsonb)
  language plpgsql stable set enable_seqscan = off set plan_cache_mode = force_generic_plan
  set max_parallel_workers_per_gather = 0 set jit = off as $$
begin
  return query
  select e.position, e.id, e.stream, e.version, e.type, e.account_id, e.instance_id, e.at, e.data, e.context
  from ledger_event e where e.stream = any(streams) order by e.stream, e.version;
end $$;

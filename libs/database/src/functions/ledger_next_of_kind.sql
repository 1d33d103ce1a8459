-- The next events of one kind of aggregate beyond a position, in order. Owner: libs/ledger.
--
-- Input: the kind, the position, and how many events are wanted at most.
-- Answer: the rows of the events.
--
-- Guards:
--   * It is stable, so it sees what the statement that calls it sees.
--   * It reads what it gives and no more, by the index of kinds. Without statistics PostgreSQL takes the rest of a ledger for a few rows,
--     and would read and sort all of it for each call.
create or replace function ledger_next_of_kind(kind text, after bigint, most integer)
  returns setof ledger_event
  language plpgsql stable
  set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan as $$
begin
  return query select * from ledger_event e where e.aggregate = kind and e.position > after order by e.position limit most;
end $$;

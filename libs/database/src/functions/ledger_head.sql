-- The position of the newest event of the ledger. Owner: libs/ledger.
--
-- Input: none.
-- Answer: the position; 0 before the first event.
-- Guard: it is stable, so it sees what the statement that calls it sees. A statement may compare positions of its own with it.
create or replace function ledger_head() returns bigint language plpgsql stable as $$
begin
  return (select coalesce(max(e.position), 0) from ledger_event e);
end $$;

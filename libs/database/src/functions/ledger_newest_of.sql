-- The position of an account's newest event. Owner: libs/ledger.
--
-- Input: the account's id.
-- Answer: the position; 0 before the account's first event.
-- Guard: it is stable, so it sees what the statement that calls it sees. It reads one entry of an index, however long the history is.
create or replace function ledger_newest_of(account text) returns bigint language plpgsql stable as $$
begin
  return (select coalesce(max(e.position), 0) from ledger_event e where e.account_id = account);
end $$;

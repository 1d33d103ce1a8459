-- The position of an account's newest event. Owner: libs/ledger.
--
-- Input: the account's id.
-- Answer: the position; 0 before the account's first event.
-- Guard: it is stable, so it sees what the statement that calls it sees. It reads one entry of an index, however long the history is. Only the
-- index of accounts has this order. With an equation instead, a plan for any account would walk along the index of positions where most
-- events are of one account, and read the whole ledger for another one.
create or replace function ledger_newest_of(account text) returns bigint language plpgsql stable as $$
begin
  return coalesce((
    select e.position from ledger_event e where e.account_id >= account and e.account_id <= account
    order by e.account_id desc, e.position desc limit 1
  ), 0);
end $$;

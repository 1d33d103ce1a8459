-- Refuses an append that nobody may make. Owner: libs/ledger.
--
-- Input: why.
-- Answer: none; it always raises. A request that names another owner is a check_violation (23514), one that the role of the session may
--   not make an insufficient_privilege (42501), and one in a transaction with an old snapshot an invalid_transaction_state (25000).
create or replace function ledger_refuses(why text, code text) returns text language plpgsql as $$
begin
  raise exception 'the ledger refuses the append: %', why using errcode = code;
end $$;

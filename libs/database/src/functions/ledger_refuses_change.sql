-- Refuses an update, a delete or a truncate of ledger_event. Owner: libs/ledger.
--
-- Input: none; the trigger ledger_is_append_only calls it before each such statement.
-- Answer: none; it always raises insufficient_privilege (42501).
-- Guard: the privileges for these statements are revoked too. A superuser needs no privilege, but meets the trigger.
create or replace function ledger_refuses_change() returns trigger language plpgsql as $$
begin
  raise exception 'the ledger is append-only: % on ledger_event is refused', tg_op using errcode = 'insufficient_privilege';
end $$;

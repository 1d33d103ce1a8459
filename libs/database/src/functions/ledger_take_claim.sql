-- Takes a claim without an event. Owner: libs/ledger.
--
-- Input: the claim's kind and key, and the name of who holds it from now on.
-- Answer: true when it was free.
-- Guards:
--   * The transaction holds the ledger's lock until it ends, so no append takes the claim meanwhile.
--   * A service takes only keys of requests in this way. Every other claim comes with its event.
create or replace function ledger_take_claim(claim_kind text, claim_key text, holder text) returns boolean
  language plpgsql security definer set search_path from current as $$
begin
  if ledger_permitted() is not null and claim_kind <> 'idempotency-key' then
    perform ledger_refuses('a claim of kind ' || claim_kind || ' is taken by an event alone', 'insufficient_privilege');
  end if;
  perform pg_advisory_xact_lock(7236001);
  insert into ledger_claim (kind, key, stream) values (claim_kind, claim_key, holder) on conflict do nothing;
  return found;
end $$;

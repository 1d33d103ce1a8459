-- Gives back claims of one kind without an event, no matter who holds them. Owner: libs/ledger.
--
-- Input: the kind, and the keys.
-- Answer: none.
-- Guard: a service gives back only keys of requests in this way. Every other claim goes with an event.
create or replace function ledger_give_back_claims(claim_kind text, claim_keys text[]) returns void
  language plpgsql security definer set search_path from current as $$
begin
  if ledger_permitted() is not null and claim_kind <> 'idempotency-key' then
    perform ledger_refuses('a claim of kind ' || claim_kind || ' is given back by an event alone', 'insufficient_privilege');
  end if;
  delete from ledger_claim where kind = claim_kind and key = any(claim_keys);
end $$;

-- Whether any stream holds a claim. Owner: libs/ledger.
--
-- Input: the claim's kind and key.
-- Answer: true when it is held.
-- Guards:
--   * It is stable, so it sees what the statement that calls it sees: a row and the claim beside it are of one moment.
--   * Its plan is that of the index, also when it was made while the table was small.
create or replace function ledger_is_claimed(claim_kind text, claim_key text) returns boolean
  language plpgsql stable set enable_seqscan = off as $$
begin
  return exists (select from ledger_claim c where c.kind = claim_kind and c.key = claim_key);
end $$;

-- Finds requests with an Idempotency-Key that have come before. Owner: apps/api/src/edge/idempotent-requests.ts.
--
-- Input:
--   asked     a JSON array of {place, accountId, key}; "place" is the caller's number for it
--   clock     what the caller's clock says
--   kept_for  how long a request is kept
--
-- Answer: a row for each request that is kept. "had_effect" says whether its key was taken, by an effect or by a refusal. "is_old" says
-- that its time is over by both clocks: by one that is ahead, a request could have its effect twice.
--
-- Guard: each look at a key is a subquery that only an index serves, and a session makes its plan once.
create or replace function request_find(asked jsonb, clock timestamptz, kept_for interval)
  returns table (place integer, fingerprint bytea, resource_id uuid, status smallint, body json, had_effect boolean, is_old boolean)
  language plpgsql stable set enable_seqscan = off as $$
begin
  return query
  select a.place, r.fingerprint, r.resource_id, r.status, r.body,
    ledger_is_claimed('idempotency-key', a."accountId" || '/' || a.key), r.begun_at < least(now(), clock) - kept_for
  from jsonb_to_recordset(asked) as a(place integer, "accountId" text, key text)
  cross join lateral (
    select i.* from idempotent_request i where i.account_id = a."accountId" and i.key = a.key limit 1
  ) r;
end $$;

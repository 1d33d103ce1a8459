-- Keeps refusals of requests with an Idempotency-Key. Owner: apps/api/src/edge/idempotent-requests.ts.
--
-- Input: a JSON array of refusals, {place, accountId, key, fingerprints, resourceId, status, body}. "place" is the caller's number for it.
-- "fingerprints" are those of the request under every key of the deployment, in hexadecimal, the newest first. "body" is the answer as
-- JSON in a string: the answer may hold what no jsonb can.
-- Answer: the places of those that are refused from now on. Any other had its effect or its answer already.
--
-- Guards:
--   * The claim on the key and the row are one statement: a process that freezes keeps the ledger's lock from nobody. Of a refusal and an
--     effect with one key, the first to have the lock is the outcome.
--   * Of two refusals with one key in a call, one is kept.
--   * Rows are written in order of their key, as by request_keep.
create or replace function request_refuse(refused jsonb) returns table (place integer) language plpgsql as $$
begin
  return query
  with asked as (
    select a.* from jsonb_to_recordset(refused) as a(
      place integer, "accountId" text, key text, fingerprints jsonb, "resourceId" uuid, status smallint, body text)
    order by a."accountId", a.key, a.place
  ), free as materialized (
    select a.* from asked a where ledger_take_claim('idempotency-key', a."accountId" || '/' || a.key, 'refusal')
  ), kept as (
    insert into idempotent_request as r (account_id, key, fingerprint, resource_id, status, body)
    select f."accountId", f.key, decode(f.fingerprints->>0, 'hex'), f."resourceId", f.status, f.body::json
    from free f
    order by f."accountId", f.key
    on conflict (account_id, key) do update set status = excluded.status, body = excluded.body
      where r.status is null and exists (
        select from free f cross join lateral jsonb_array_elements_text(f.fingerprints) as own(fingerprint)
        where f."accountId" = r.account_id and f.key = r.key and decode(own.fingerprint, 'hex') = r.fingerprint)
    returning r.account_id, r.key
  )
  select f.place from free f join kept k on k.account_id = f."accountId" and k.key = f.key;
end $$;

-- Keeps requests with an Idempotency-Key, in the transaction that records their effect. Owner: apps/api/src/edge/idempotent-requests.ts.
--
-- Input: a JSON array of requests, {accountId, key, fingerprint, resourceId}. "fingerprint" is in hexadecimal.
-- Answer: none.
--
-- Guards:
--   * The claim on the key is taken by the same transaction, so no other request with the key has had an effect. A row without an
--     answer is there where an attempt of an older version has begun. It tells from now on what had the effect.
--   * A row with an answer and no claim is that of a request without an effect, such as a test. The key has had its outcome then, so the
--     append is refused (SR138): nobody has to look for the key before.
--   * Rows are written in order of their key. Two transactions that keep the same keys wait for each other and do not deadlock.
--   * It is PL/pgSQL, so that a session makes its plan once.
create or replace function request_keep(kept jsonb) returns void language plpgsql as $$
declare
  written bigint;
begin
  insert into idempotent_request as r (account_id, key, fingerprint, resource_id)
  select k."accountId", k.key, decode(k.fingerprint, 'hex'), k."resourceId"
  from jsonb_to_recordset(kept) as k("accountId" text, key text, fingerprint text, "resourceId" uuid)
  order by k."accountId", k.key
  on conflict (account_id, key) do update
    set fingerprint = excluded.fingerprint, resource_id = excluded.resource_id, begun_at = excluded.begun_at
    where r.status is null;
  get diagnostics written = row_count;
  if written < jsonb_array_length(kept) then
    raise sqlstate 'SR138' using message = 'an answer to another request is kept under the key of a request';
  end if;
end $$;

-- Appends requests that rely on other streams, each by itself. Owner: libs/ledger.
--
-- Input:
--   requests                   a JSON array, as ledger_append takes it
--   relying, streams, versions three arrays of one length: the number of a request, a stream that it relies on, and the version that the
--                              stream must have. None of the requests may append to such a stream.
--
-- Answer: the rows of ledger_append for each request whose streams are at their versions. The outcome of each other one is "outdated":
--   nothing of it is written.
--
-- Guard: the ledger's lock is held from before the streams are looked at. So none of them changes before the events are written.
create or replace function ledger_append_relying(requests jsonb, relying integer[], streams text[], versions integer[])
  returns table (request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz)
  language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  outdated integer[];
begin
  perform pg_advisory_xact_lock(7236001);
  outdated := coalesce((
    select array_agg(distinct r.number) from unnest(relying, streams, versions) as r(number, stream, version)
    where r.version is distinct from
      (select e.version from ledger_event e where e.stream = r.stream order by e.version desc limit 1)), '{}');
  if outdated <> '{}' then
    requests := coalesce(
      (select jsonb_agg(a.value) from jsonb_array_elements(requests) a where (a.value->>'request')::integer <> all (outdated)), '[]');
  end if;
  return query select a.* from ledger_append(requests) a;
  return query select o.number, 'outdated', null::text, null::text, null::bigint, null::timestamptz from unnest(outdated) o(number);
end $$;

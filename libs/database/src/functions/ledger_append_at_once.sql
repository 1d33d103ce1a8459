-- Appends to the ledger, each request by itself, with the jobs that its events ask for, and the request of a client that made it.
-- Owner: libs/ledger.
--
-- Input:
--   requests                   a JSON array of requests, as ledger_append takes it
--   relying, streams, versions as ledger_append_relying takes them; empty when no request relies on another stream
--   asked_by, asked_place, kinds, ids, lanes, accounts, totals
--                              the jobs, as job_add_of_events takes them; empty when no event asks for one
--   kept                       a JSON array of requests of clients, as request_keep takes it, each with "request", the number of the
--                              request that is its effect; null for a service that has no rights on them
--
-- Answer: the rows of ledger_append, and of ledger_append_relying.
--
-- Guards:
--   * Jobs and requests of clients are written only with an append that took place, and in its transaction.
--   * A session plans what is done here once, and never compiles it.
create or replace function ledger_append_at_once(
  requests jsonb, relying integer[], streams text[], versions integer[],
  asked_by integer[], asked_place integer[], kinds text[], ids uuid[], lanes text[], accounts text[], totals bigint[],
  kept jsonb
) returns table (request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz)
  language plpgsql set plan_cache_mode = force_generic_plan set jit = off as $$
declare
  numbers integer[];
  outcomes text[];
  claim_kinds text[];
  claim_streams text[];
  first_positions bigint[];
  recorded_at timestamptz;
begin
  if relying = '{}' then
    select array_agg(a.request), array_agg(a.outcome), array_agg(a.claim_kind), array_agg(a.claim_stream), array_agg(a.first_position),
      max(a.appended_at)
    into numbers, outcomes, claim_kinds, claim_streams, first_positions, recorded_at from ledger_append(requests) a;
  else
    select array_agg(a.request), array_agg(a.outcome), array_agg(a.claim_kind), array_agg(a.claim_stream), array_agg(a.first_position),
      max(a.appended_at)
    into numbers, outcomes, claim_kinds, claim_streams, first_positions, recorded_at
    from ledger_append_relying(requests, relying, streams, versions) a;
  end if;
  if ids <> '{}' then
    perform job_add_of_events(asked_by, asked_place, kinds, ids, lanes, accounts, totals, numbers, first_positions);
  end if;
  if kept is not null then
    if 'appended' <> any (outcomes) then
      kept := (
        select coalesce(jsonb_agg(k.value), '[]') from jsonb_array_elements(kept) k
        join unnest(numbers, outcomes) as a(request, outcome) on a.request = (k.value->>'request')::integer
        where a.outcome = 'appended');
    end if;
    perform request_keep(kept);
  end if;
  return query select a.request, a.outcome, a.claim_kind, a.claim_stream, a.first_position, case when a.first_position is not null then recorded_at end
    from unnest(numbers, outcomes, claim_kinds, claim_streams, first_positions) as a(request, outcome, claim_kind, claim_stream, first_position);
end $$;

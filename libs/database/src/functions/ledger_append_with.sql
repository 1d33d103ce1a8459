-- Appends to the ledger, each request by itself, with the jobs that its events ask for and the request of a client that made it.
-- Owner: libs/ledger.
--
-- Input:
--   requests  a JSON array of requests, as ledger_append takes it
--   work      a JSON array of {request, place, job}: each job as job_add takes it, and which event of which request asks for it
--   kept      a JSON array of {request, kept}: each as request_keep takes it, and which request is its effect; null for a service that
--             has no rights on the requests of clients
--
-- Answer: the rows of ledger_append.
--
-- Guards:
--   * Jobs and requests of clients are written only with an append that took place, and in its transaction.
--   * A session plans what is done here once. A plan for the values of one call would cost more than that call, and to compile it more
--     than a hundred of them: its estimated cost is large, because the planner takes every array for a hundred items.
create or replace function ledger_append_with(requests jsonb, work jsonb, kept jsonb)
  returns table (request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz)
  language plpgsql set plan_cache_mode = force_generic_plan set jit = off as $$
declare
  answers jsonb;
begin
  if work = '[]' and kept is null then
    return query select * from ledger_append(requests);
    return;
  end if;
  answers := (select jsonb_agg(to_jsonb(a)) from ledger_append(requests) a);
  if work <> '[]' then
    perform job_add_with_events(coalesce(jsonb_agg(w.job || jsonb_build_object('position', a.first_position + w.place)), '[]'))
    from jsonb_to_recordset(work) as w(request integer, place integer, job jsonb)
    join jsonb_to_recordset(answers) as a(request integer, outcome text, first_position bigint) on a.request = w.request
    where a.outcome = 'appended';
  end if;
  if kept is not null then
    perform request_keep(coalesce(jsonb_agg(k.kept), '[]'))
    from jsonb_to_recordset(kept) as k(request integer, kept jsonb)
    join jsonb_to_recordset(answers) as a(request integer, outcome text) on a.request = k.request
    where a.outcome = 'appended';
  end if;
  return query select a.* from jsonb_to_recordset(answers) as a(
    request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz);
end $$;

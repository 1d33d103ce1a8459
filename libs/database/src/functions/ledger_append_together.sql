-- Appends to several streams, to all or to none, with the jobs that the events ask for. Owner: libs/ledger.
--
-- Input:
--   turns     a JSON array of arrays of requests, each array as ledger_append takes it; a later turn may take the claim that an
--             earlier one gives back
--   expected  a JSON array of {stream, version}: streams that the requests rely on, and that none of them appends to
--   work      a JSON array of {request, place, job}: each job as job_add takes it, and which event of which request asks for it
--
-- Answer: the rows of ledger_append for each request, up to the first turn in which one is not appended; nothing is written then.
-- When an expected stream is at another version, each request is a conflict, and nothing is written.
--
-- Guards:
--   * It is one statement, so that a caller without a transaction never holds the ledger's lock while it is silent. A process
--     that freezes, or a slow network, keeps no other append waiting.
--   * The lock of the first turn keeps the expected streams unchanged until the end.
create or replace function ledger_append_together(turns jsonb, expected jsonb, work jsonb)
  returns table (request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz)
  language plpgsql as $$
declare
  turn jsonb;
  answers jsonb := '[]';
begin
  begin
    for turn in select value from jsonb_array_elements(turns) loop
      answers := answers || (select jsonb_agg(to_jsonb(a)) from ledger_append(turn) a);
      if answers @? '$[*] ? (@.outcome != "appended")' then
        raise sqlstate 'SR001';
      end if;
    end loop;
    if exists (
      select from jsonb_to_recordset(expected) as e(stream text, version integer)
      where e.version <> (select coalesce(max(l.version), 0) from ledger_event l where l.stream = e.stream)
    ) then
      answers := (select jsonb_agg(jsonb_build_object('request', a->'request', 'outcome', 'conflict')) from jsonb_array_elements(answers) a);
      raise sqlstate 'SR001';
    end if;
    if work <> '[]' then
      perform job_add_with_events(jsonb_agg(w.job || jsonb_build_object('position', a.first_position + w.place)))
      from jsonb_to_recordset(work) as w(request integer, place integer, job jsonb)
      join jsonb_to_recordset(answers) as a(request integer, first_position bigint) on a.request = w.request;
    end if;
  exception when sqlstate 'SR001' then
    -- What the turns have written is undone, and the answers are kept.
  end;
  return query select a.* from jsonb_to_recordset(answers) as a(
    request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz);
end $$;

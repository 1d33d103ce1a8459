-- Adds jobs: the one way in which a job is written. Owner: libs/runtime.
--
-- Input: a JSON array of jobs, {kind, id, lane, accountId, readyAt, totalBytes, position}.
--   "position" is that of the event whose transaction adds the job; it is absent when the job comes with no event.
--   "lane", "readyAt" and "totalBytes" may be absent: the lane is '' then, and the job is ready now.
-- Answer: none.
--
-- Guards:
--   * A job that is there already stays as it is, and is asked for once more: its holder does it again.
--   * Jobs are written in order of their key. Two transactions that add the same jobs wait for each other and do not deadlock.
--   * It runs with the rights of its owner, so that a service that only asks for jobs needs no right on the table.
--   * A job that comes with an event leaves a row in job_news. The handler of the event takes the row, and adds nothing.
create or replace function job_add(jobs jsonb) returns void
  language sql security definer set search_path from current as $$
  insert into job (kind, id, lane, account_id, ready_at, paused_at, total_bytes)
  select distinct on (kind, id) kind, id, coalesce(lane, ''), "accountId", coalesce("readyAt", now()), now(), "totalBytes"
  from jsonb_to_recordset(jobs) as added(
    kind text, id uuid, lane text, "accountId" text, "readyAt" timestamptz, "totalBytes" bigint)
  order by kind, id
  on conflict (kind, id) do update set asked = job.asked + 1;

  insert into job_news (position, kind)
  select distinct position, kind from jsonb_to_recordset(jobs) as added(position bigint, kind text)
  where position is not null
  on conflict do nothing;
$$;

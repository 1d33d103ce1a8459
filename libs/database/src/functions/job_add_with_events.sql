-- Adds the jobs that events ask for, in the transaction that records the events. Owner: libs/runtime.
--
-- Input: a JSON array of jobs, as job_add takes it. Each job has the position of its event.
-- Answer: none.
--
-- Guards:
--   * The caller holds the ledger's lock, and every other append waits for it. So this function waits no longer than 100 ms
--     for a transaction that holds one of the jobs. That transaction may itself wait for an append on another connection,
--     a deadlock that PostgreSQL can't see.
--   * After such a wait none of the jobs is added, and job_news gets no row. The news of the events adds them.
create or replace function job_add_with_events(jobs jsonb) returns void
  language plpgsql set lock_timeout = '100ms' as $$
begin
  perform job_add(jobs);
exception when lock_not_available or deadlock_detected then
  null;
end $$;

-- Adds the rows of schedules to schedule_outcome, from the views. Owner: libs/read-model.
--
-- Input: the ids of the schedules.
-- Answer: none.
-- Guards:
--   * A row that is there stays as it is. A schedule that is not there gets none.
--   * It runs with the rights of its owner, as its callers do, so that no service needs a right to write the table.
--   * The rows are added in order of their ids, as others add them who do the same beside it.
create or replace function schedule_outcome_begin(schedules uuid[]) returns void
  language sql security definer set search_path from current set enable_seqscan = off as $$
  insert into schedule_outcome (schedule_id, account_id, paused, active_since, last_success_at)
  select s.id, s.account_id, s.paused, s.updated_at, newest.ended_at
  from schedule_view s left join lateral (
    select b.ended_at from backup_view b where b.schedule_id = s.id and b.sha256 is not null order by b.created_at desc limit 1
  ) newest on true
  where s.id = any(schedules)
  order by s.id
  on conflict (schedule_id) do nothing;
$$;

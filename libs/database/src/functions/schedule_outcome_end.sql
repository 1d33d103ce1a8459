-- Notes in schedule_outcome that backups of schedules have ended. Owner: libs/read-model.
--
-- Input: for each backup the id of its schedule, when it ended, and whether it has completed.
-- Answer: none.
-- Guards:
--   * A schedule may have no row yet. It gets one, and the update finds it, whoever has added it meanwhile.
--   * A success that lies ahead was written by a clock that has been put right since, and the next one takes its place.
--   * The rows are found by their index, whatever is known of how many there are.
create or replace function schedule_outcome_end(schedules uuid[], ended timestamptz[], completed boolean[]) returns void
  language plpgsql security definer set search_path from current
  set enable_nestloop = on set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  without_row uuid[];
begin
  select array_agg(distinct e.id) into without_row from unnest(schedules) e(id)
  where not exists (select from schedule_outcome o where o.schedule_id = e.id);
  if without_row is not null then
    perform schedule_outcome_begin(without_row);
  end if;
  update schedule_outcome o set
    completed = o.completed + e.completed,
    failed = o.failed + e.failed,
    last_success_at = case
      when e.success_at is null or o.last_success_at between e.success_at and now() then o.last_success_at else e.success_at end
  from (
    select t.id, count(*) filter (where t.done) as completed, count(*) filter (where not t.done) as failed,
      max(t.at) filter (where t.done) as success_at
    from unnest(schedules, ended, completed) t(id, at, done) group by t.id order by t.id
  ) e
  where o.schedule_id = e.id;
end $$;

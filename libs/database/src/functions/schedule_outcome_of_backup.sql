-- Notes in schedule_outcome that a backup of a schedule has ended. Owner: libs/read-model.
--
-- Input: the row of backup_view, whose ended_at has just been set; a trigger calls it. A backup with a digest has completed.
-- Answer: none.
-- Guards:
--   * An older process that folds the views writes the outcomes too, because the trigger is the table's.
--   * The schedule may have no row yet. It gets one, and the second update finds it, whoever has added it meanwhile.
--   * A success that lies ahead was written by a clock that has been put right since, and the next one takes its place.
create or replace function schedule_outcome_of_backup() returns trigger
  language plpgsql security definer set search_path from current as $$
declare
  success_at timestamptz := case when new.sha256 is not null then new.ended_at end;
begin
  for look in 1..2 loop
    update schedule_outcome o set
      completed = o.completed + (success_at is not null)::int,
      failed = o.failed + (success_at is null)::int,
      last_success_at = case
        when success_at is null or o.last_success_at between success_at and now() then o.last_success_at else success_at end
    where o.schedule_id = new.schedule_id;
    exit when found;
    perform schedule_outcome_begin(new.schedule_id);
  end loop;
  return null;
end $$;

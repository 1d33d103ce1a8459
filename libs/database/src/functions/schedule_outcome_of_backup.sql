-- Notes in schedule_outcome which backups of schedules have ended with a statement that wrote backup_view. Owner: libs/read-model.
--
-- Input: the rows of backup_view as the statement left them, `written`, and, where it has changed them, as they were before, `former`. Triggers call
-- it. A backup with a digest has completed.
-- Answer: none.
-- Guards:
--   * An older process that folds the views writes the outcomes too, because the triggers are the table's.
--   * The rows before and after a change are joined by a hash, because a session keeps the plan that it made for a statement of few rows.
--   * Until migration 130 has run, a trigger calls it for each row that ends.
create or replace function schedule_outcome_of_backup() returns trigger
  language plpgsql security definer set search_path from current set enable_nestloop = off as $$
declare
  schedules uuid[];
  ended timestamptz[];
  completed boolean[];
begin
  if tg_level = 'ROW' then
    schedules := array[new.schedule_id];
    ended := array[new.ended_at];
    completed := array[new.sha256 is not null];
  elsif tg_op = 'INSERT' then
    select array_agg(w.schedule_id), array_agg(w.ended_at), array_agg(w.sha256 is not null) into schedules, ended, completed
    from written w where w.schedule_id is not null and w.ended_at is not null;
  else
    select array_agg(w.schedule_id), array_agg(w.ended_at), array_agg(w.sha256 is not null) into schedules, ended, completed
    from written w join former f on f.id = w.id
    where w.schedule_id is not null and w.ended_at is not null and f.ended_at is null;
  end if;
  if schedules is not null then
    perform schedule_outcome_end(schedules, ended, completed);
  end if;
  return null;
end $$;

-- Keeps a row of schedule_outcome for each schedule. Owner: libs/read-model.
--
-- Input: the rows that a statement has added to schedule_view, `added`, or the one row that was changed or removed; triggers call it.
-- Answer: none.
-- Guards:
--   * A schedule that is resumed, or gets another time of the day, is owed a success only from then on.
--   * Until migration 130 has run, a trigger calls it for each row that is added.
create or replace function schedule_outcome_of_schedule() returns trigger
  language plpgsql security definer set search_path from current as $$
begin
  if tg_op = 'DELETE' then
    delete from schedule_outcome where schedule_id = old.id;
  elsif tg_op = 'UPDATE' then
    update schedule_outcome set paused = new.paused, active_since = new.updated_at where schedule_id = new.id;
  elsif tg_level = 'ROW' then
    perform schedule_outcome_begin(array[new.id]);
  else
    perform schedule_outcome_begin((select array_agg(id) from added));
  end if;
  return null;
end $$;

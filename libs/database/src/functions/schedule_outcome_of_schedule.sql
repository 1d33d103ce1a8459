-- Keeps a row of schedule_outcome for each schedule. Owner: libs/read-model.
--
-- Input: the row of schedule_view that was added, changed or removed; triggers call it.
-- Answer: none.
-- Guard: a schedule that is resumed, or gets another time of the day, is owed a success only from then on.
create or replace function schedule_outcome_of_schedule() returns trigger
  language plpgsql security definer set search_path from current as $$
begin
  if tg_op = 'DELETE' then
    delete from schedule_outcome where schedule_id = old.id;
  elsif tg_op = 'INSERT' then
    perform schedule_outcome_begin(new.id);
  else
    update schedule_outcome set paused = new.paused, active_since = new.updated_at where schedule_id = new.id;
  end if;
  return null;
end $$;

-- Notes in schedule_outcome that a slot of a schedule was skipped or missed. Owner: libs/read-model.
--
-- Input: the new row of run_view; a trigger calls it.
-- Answer: none.
-- Guard: as schedule_outcome_end.
create or replace function schedule_outcome_of_run() returns trigger
  language plpgsql security definer set search_path from current as $$
begin
  for look in 1..2 loop
    update schedule_outcome o set
      skipped = o.skipped + (new.outcome = 'skipped')::int,
      missed = o.missed + (new.outcome = 'missed')::int
    where o.schedule_id = new.schedule_id;
    exit when found;
    perform schedule_outcome_begin(array[new.schedule_id]);
  end loop;
  return null;
end $$;

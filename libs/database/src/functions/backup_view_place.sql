-- Fills the position of a new row of backup_view. Owner: libs/read-model.
--
-- Input: the new row; the trigger backup_view_has_its_place calls it before an insert without a position.
-- Answer: the row, with the position of the event that begins the backup; null when the ledger has no such event.
-- Guard: an older process beside this one does not write the position, and its rows must be in order too.
create or replace function backup_view_place() returns trigger language plpgsql as $$
begin
  new.position := ledger_position_of('backup-' || new.id, 1);
  return new;
end $$;

-- Tells the feeds that an operator has marked a letter for replay, as an append tells them of events. Owner: libs/feed.
--
-- Input: none; the trigger dead_letter_is_asked calls it after each change of a row that marks its letter.
-- Answer: none that counts.
-- Guard: the notice comes with the commit. A feed that does not hear it looks after some minutes.
create or replace function dead_letter_is_asked() returns trigger language plpgsql as $$
begin
  perform pg_notify('strongroom_ledger', '');
  return null;
end $$;

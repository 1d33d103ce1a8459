-- The position of one event of a stream. Owner: libs/ledger.
--
-- Input: the stream's name, and the version that the event gave the stream: 1 for its first event.
-- Answer: the position; null when the stream has no such event.
-- Guard: it is stable, so it sees what the statement that calls it sees.
create or replace function ledger_position_of(stream_name text, event_version integer) returns bigint language plpgsql stable as $$
begin
  return (select e.position from ledger_event e where e.stream = stream_name and e.version = event_version);
end $$;

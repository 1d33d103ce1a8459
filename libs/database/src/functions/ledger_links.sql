-- Computes the links of events. Owner: libs/ledger.
--
-- Input: the link of the event before, null before the first; and the digests of the events that follow it, in order.
-- Answer: the link of each event: SHA-256 over the link before it and its own digest. 32 zero bytes stand before the first.
create or replace function ledger_links(before bytea, digests bytea[]) returns bytea[] language plpgsql immutable as $$
declare
  link bytea := coalesce(before, decode(repeat('00', 32), 'hex'));
  digest bytea;
  links bytea[] := '{}';
begin
  foreach digest in array digests loop
    link := sha256(link || digest);
    links := links || link;
  end loop;
  return links;
end $$;

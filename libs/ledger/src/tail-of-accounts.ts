/**
 * What is new of some accounts, in the order of the ledger: their events and the entries of their audit. One statement reads it for all
 * of them, so it costs the same for a thousand readers as for one. What this version can't read is left out.
 */
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { entriesIn, entryRows } from './audit-entry-row.js';
import { eventColumns } from './event-row.js';
import { inOrder, itemOf, type LedgerItem, type LedgerPlace } from './ledger-place.js';
import { readEvents } from './read-events.js';

export interface TailOfAccounts {
  items: LedgerItem[];
  /** The place up to which all accounts were looked at. */
  end: LedgerPlace;
  /** Whether there may be more behind it. */
  isMore: boolean;
}

/** Whose events lie beyond a position. */
export interface AccountsOfTail {
  accounts: string[];
  /** The position up to which was looked. */
  end: number;
  /** Whether there may be more behind it. */
  isMore: boolean;
}

const accountsRows = z
  .array(z.object({ accounts: z.array(z.string()), end: z.coerce.number(), read: z.int() }))
  .length(1);
const places = z.array(z.object({ position: z.coerce.number(), seq: z.coerce.number() })).length(1);
/** The first row tells how far was looked, and each of them an item. */
const look = z.object({ end_position: z.coerce.number(), end_seq: z.coerce.number(), is_more: z.boolean() });
const looks = z.tuple([look], z.unknown());
/** The position is null in the one row that tells that nothing was found. */
const itemRows = z.array(z.looseObject({ position: z.string().nullable(), seq: z.coerce.number() }));

/** The place of the newest item of all accounts. */
export async function endOfLedger(manager: EntityManager): Promise<LedgerPlace> {
  const found: unknown = await manager.query(
    'select ledger_head() as position, (select coalesce(max(seq), 0) from audit_entry) as seq',
  );
  return places.parse(found)[0] ?? { position: 0, seq: 0 };
}

/** Reads no more of the events than whose they are. @param limit how many events are looked at */
export async function accountsOfTail(manager: EntityManager, after: number, limit: number): Promise<AccountsOfTail> {
  const rows: unknown = await manager.query(
    `with looked as materialized (
       select account_id, position from ledger_event where position > $1 order by position limit $2
     )
     select array(select distinct account_id from looked) as accounts, coalesce((select max(position) from looked), $1) as end,
       (select count(*) from looked)::int as read`,
    [after, limit],
  );
  const [{ accounts, end, read } = { accounts: [], end: after, read: 0 }] = accountsRows.parse(rows);
  return { accounts, end, isMore: read === limit };
}

/** @param limit how many events, and how many entries, are looked at */
export async function tailOfAccounts(
  manager: EntityManager,
  accountIds: readonly string[],
  { position, seq }: LedgerPlace,
  limit: number,
): Promise<TailOfAccounts> {
  // Both are read in one snapshot: else an entry could come between the two, and be passed over. Where one of them is cut off, the
  // other is read no further.
  const found: unknown = await manager.query(
    `with looked as materialized (
       select ${eventColumns} from ledger_event where position > $1 order by position limit $4
     ), entered as materialized (
       select position, seq, id, account_id, at, entry from audit_entry where seq > $2 order by seq limit $4
     ), cut as (
       select least(
         (select max(position) from looked having count(*) = $4), (select max(position) from entered having count(*) = $4)
       ) as position
     ), looks as (
       select coalesce((select max(l.position) from looked l where cut.position is null or l.position <= cut.position), $1) as end_position,
         coalesce((select max(e.seq) from entered e where cut.position is null or e.position <= cut.position), $2) as end_seq,
         cut.position is not null as is_more, cut.position as cut_position
       from cut
     ), items as (
       select 0::bigint as seq, l.position, l.id, l.stream, l.version, l.type, l.account_id, l.instance_id, l.at, l.data, l.context,
         null::jsonb as entry
       from looked l where l.account_id = any($3)
       union all
       select e.seq, e.position, e.id, null, null, null, e.account_id, null, e.at, null, null, e.entry
       from entered e where e.account_id = any($3)
     )
     select looks.end_position, looks.end_seq, looks.is_more, items.*
     from looks left join items on looks.cut_position is null or items.position <= looks.cut_position
     order by items.position, items.seq`,
    [position, seq, accountIds, limit],
  );
  const [{ end_position, end_seq, is_more }] = looks.parse(found);
  const items = itemRows.parse(found).filter(({ position }) => position !== null);
  const { events } = readEvents(items.filter((row) => row.seq === 0));
  const entries = entriesIn(entryRows.parse(items.filter((row) => row.seq > 0)));
  return {
    items: entries.length === 0 ? events.map(itemOf) : [...events.map(itemOf), ...entries].sort(inOrder),
    end: { position: end_position, seq: end_seq },
    isMore: is_more,
  };
}

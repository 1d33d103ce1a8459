/**
 * The audit: the audited events of the ledger, and the entries that are no events, in one order. An entry comes after the newest event of
 * its time. It is written under the ledger's lock, so a reader never finds one that lies before what it has read.
 */
import { type AuditEntry, auditEntry, auditedEvents } from '@strongroom/contracts';
import { inTransaction } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import { entriesIn, entryColumns, entryRows } from './audit-entry-row.js';
import { eventColumns } from './event-row.js';
import { inOrder, itemOf, type LedgerItem, type LedgerPlace, type RecordedAuditEntry } from './ledger-place.js';
import { readEvents } from './read-events.js';

export interface NewAuditEntry {
  id: string;
  /** Null for what belongs to no account. */
  accountId: string | null;
  /** Whether the account is known to be one. Else it has to have an event: a stranger may name any. */
  isKnown: boolean;
  at: Date;
  entry: AuditEntry;
  /** Left out when the newest entry of its type and account has the same digest. */
  digest?: string;
}

/** An entry of a form that this version does not know. */
export interface UnreadAuditEntry {
  id: string;
  accountId: string | null;
  at: Date;
  entry: unknown;
}

/** Where the audit is written besides. Each has a cursor of its own: one that is away holds up no other. */
export type AuditExportName = 'file' | 'syslog';
const idOfExport = { file: 1, syslog: 2 } as const satisfies Record<AuditExportName, number>;

const places = z.array(z.object({ position: z.coerce.number(), seq: z.coerce.number() }));
const placesWithId = z.array(z.object({ position: z.coerce.number(), seq: z.coerce.number(), id: z.string() }));
const rowsOfEvents = z.array(z.looseObject({ position: z.coerce.number() }));
/** It stands as it is in each statement, for the index to be found. */
const audited = `type in (${auditedEvents.map((type) => `'${type}'`).join(', ')})`;

export class AuditTrail {
  constructor(private readonly dataSource: DataSource) {}

  /** Adds entries, all or none. One whose id is there already is left out. */
  async add(entries: readonly NewAuditEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await inTransaction(this.dataSource, async (manager) => {
      await manager.query('select pg_advisory_xact_lock(7236001)');
      await manager.query(
        `insert into audit_entry (id, position, account_id, at, type, digest, entry)
         select e.id, ledger_head(), case when e."isKnown" or ledger_newest_of(e."accountId") > 0 then e."accountId" end,
           e.at, e.entry->>'type', e.digest, e.entry
         from jsonb_to_recordset($1) as e(id uuid, "accountId" text, at timestamptz, entry jsonb, digest text, "isKnown" boolean)
         where e.digest is null or e.digest is distinct from (
           select a.digest from audit_entry a
           where a.type = e.entry->>'type' and a.account_id is not distinct from e."accountId" and a.digest is not null
           order by a.seq desc limit 1)
         on conflict (id) do nothing`,
        [JSON.stringify(entries.map(({ entry, ...rest }) => ({ ...rest, entry: auditEntry.parse(entry) })))],
      );
    });
  }

  /**
   * The items of an account beyond a place, in order. What this version can't read is left out.
   * @returns with the place of the last one that was looked at, and whether there are more behind it
   */
  async follow(
    accountId: string,
    after: LedgerPlace,
    limit: number,
  ): Promise<{ items: LedgerItem[]; end: LedgerPlace; isMore: boolean }> {
    // One snapshot: else an entry could come between the two, and be passed over.
    const look = async (manager: EntityManager) => {
      const events = rowsOfEvents.parse(
        await manager.query(
          `select ${eventColumns} from ledger_event where account_id = $1 and position > $2 and ${audited}
           order by position limit $3`,
          [accountId, after.position, limit + 1],
        ),
      );
      const entries = entryRows.parse(
        await manager.query(
          `select ${entryColumns} from audit_entry where account_id = $1 and (position, seq) > ($2, $3)
           order by position, seq limit $4`,
          [accountId, after.position, after.seq, limit + 1],
        ),
      );
      const looked = [...events.map(({ position }) => ({ position, seq: 0 })), ...entries.map(placeIn)].sort(inOrder);
      const end = looked.slice(0, limit).at(-1) ?? after;
      const items = [...readEvents(events).events.map(itemOf), ...entriesIn(entries)]
        .filter((item) => inOrder(item, end) <= 0)
        .sort(inOrder);
      return { items, end, isMore: looked.length > limit };
    };
    return inTransaction(this.dataSource, look, 'REPEATABLE READ');
  }

  /** The newest item of an account; undefined before its first. */
  async newestOf(accountId: string): Promise<(LedgerPlace & { id: string }) | undefined> {
    const found: unknown = await this.dataSource.query(
      `(select position, 0::bigint as seq, id from ledger_event where account_id = $1 and ${audited} order by position desc limit 1)
       union all
       (select position, seq, id from audit_entry where account_id = $1 order by position desc, seq desc limit 1)`,
      [accountId],
    );
    return placesWithId.parse(found).sort(inOrder).at(-1);
  }

  /** Where an item of the account lies; undefined when the account has no such item. */
  async placeOf(accountId: string, id: string): Promise<LedgerPlace | undefined> {
    const found: unknown = await this.dataSource.query(
      `select position, 0 as seq from ledger_event where id = $1 and account_id = $2 and ${audited}
       union all select position, seq from audit_entry where id = $1 and account_id = $2`,
      [id, accountId],
    );
    return places.parse(found)[0];
  }

  /**
   * The entries of every account beyond one of them, in order.
   * @returns with those that can't be read, the last one that was looked at, and how many those were
   */
  async entriesAfter(
    seq: number,
    limit: number,
  ): Promise<{ entries: RecordedAuditEntry[]; unread: UnreadAuditEntry[]; end: number; looked: number }> {
    const found = entryRows.parse(
      await this.dataSource.query(`select ${entryColumns} from audit_entry where seq > $1 order by seq limit $2`, [
        seq,
        limit,
      ]),
    );
    const entries = entriesIn(found).map(({ recorded }) => recorded);
    const unread = found
      .filter(({ entry }) => !auditEntry.safeParse(entry).success)
      .map(({ id, account_id: accountId, at, entry }) => ({ id, accountId, at, entry }));
    return { entries, unread, end: found.at(-1)?.seq ?? seq, looked: found.length };
  }

  /** Forgets some of the entries that were made before that time. Events stay. @returns how many */
  async forget(before: Date, limit: number): Promise<number> {
    const gone: unknown = await this.dataSource.query(
      `with old as (
         select seq from audit_entry where at < least($1::timestamptz, now()) order by at limit $2 for update skip locked
       ), gone as (delete from audit_entry a using old where a.seq = old.seq returning 1)
       select count(*)::int as gone from gone`,
      [before, limit],
    );
    return z.array(z.object({ gone: z.int() })).parse(gone)[0]?.gone ?? 0;
  }

  /**
   * Makes the cursor of each export that has none: it begins at the newest event, and at the oldest entry. Whatever is recorded once this
   * has resolved is exported.
   */
  async beginExports(exports: readonly AuditExportName[]): Promise<void> {
    if (exports.length === 0) return;
    await this.dataSource.query(
      `insert into audit_export (id, position, seq, held_until)
       select id, ledger_head(), 0, '-infinity' from unnest($1::smallint[]) as asked(id) on conflict do nothing`,
      [exports.map((name) => idOfExport[name])],
    );
  }

  /**
   * Takes the cursor of an export for a time.
   * @returns how far the export has come; undefined while another process has it
   */
  async takeCursor(name: AuditExportName, holder: string, forMs: number): Promise<LedgerPlace | undefined> {
    const found: unknown = await this.dataSource.query(
      `with taken as (
         update audit_export set holder = $2, held_until = now() + $3 * interval '1 ms'
         where id = $1 and (holder = $2 or held_until < now()) returning position, seq
       ) select position, seq from taken`,
      [idOfExport[name], holder, forMs],
    );
    return places.parse(found)[0];
  }

  /** Notes how far the export has come. @returns whether the holder still has the cursor */
  async moveCursor(name: AuditExportName, holder: string, { position, seq }: LedgerPlace): Promise<boolean> {
    const found: unknown = await this.dataSource.query(
      `with moved as (update audit_export set position = $3, seq = $4 where id = $1 and holder = $2 returning position, seq)
       select position, seq from moved`,
      [idOfExport[name], holder, position, seq],
    );
    return places.parse(found).length > 0;
  }
}

function placeIn({ position, seq }: LedgerPlace): LedgerPlace {
  return { position, seq };
}

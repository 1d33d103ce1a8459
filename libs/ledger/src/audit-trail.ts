/**
 * The audit: the audited events of the ledger, and the entries that are no events, in one order. An entry comes after the newest event of
 * its time. It is written under the ledger's lock, so a reader never finds one that lies before what it has read.
 */
import { type AuditEntry, auditEntry, auditedEvents, type RecordedEvent } from '@strongroom/contracts';
import { inTransaction } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import { eventColumns } from './event-row.js';
import { readEvents } from './read-events.js';

/** The place of an item: that of an event, and of the entries after it. */
export interface AuditPlace {
  position: number;
  /** 0 for the event itself. */
  seq: number;
}

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

export interface RecordedAuditEntry {
  id: string;
  accountId: string | null;
  at: Date;
  entry: AuditEntry;
}

export type AuditItem = AuditPlace & ({ event: RecordedEvent } | { recorded: RecordedAuditEntry });

const rows = z.array(
  z.object({
    position: z.coerce.number(),
    seq: z.coerce.number(),
    id: z.string(),
    account_id: z.string().nullable(),
    at: z.date(),
    entry: z.unknown(),
  }),
);
const places = z.array(z.object({ position: z.coerce.number(), seq: z.coerce.number() }));
const entryColumns = 'position, seq, id, account_id, at, entry';
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

  /** The items of an account beyond a place, in order. What this version can't read is left out. */
  async follow(accountId: string, after: AuditPlace, limit: number): Promise<AuditItem[]> {
    // One snapshot: else an entry could come between the two, and be passed over.
    const look = async (manager: EntityManager): Promise<AuditItem[]> => {
      const events: unknown = await manager.query(
        `select ${eventColumns} from ledger_event where account_id = $1 and position > $2 and ${audited}
         order by position limit $3`,
        [accountId, after.position, limit],
      );
      const entries: unknown = await manager.query(
        `select ${entryColumns} from audit_entry where account_id = $1 and (position, seq) > ($2, $3)
         order by position, seq limit $4`,
        [accountId, after.position, after.seq, limit],
      );
      return [...readEvents(events).events.map(itemOf), ...entriesIn(entries)]
        .sort((a, b) => a.position - b.position || a.seq - b.seq)
        .slice(0, limit);
    };
    return inTransaction(this.dataSource, look, 'REPEATABLE READ');
  }

  /** Where an item of the account lies; undefined when the account has no such item. */
  async placeOf(accountId: string, id: string): Promise<AuditPlace | undefined> {
    const found: unknown = await this.dataSource.query(
      `select position, 0 as seq from ledger_event where id = $1 and account_id = $2 and ${audited}
       union all select position, seq from audit_entry where id = $1 and account_id = $2`,
      [id, accountId],
    );
    return places.parse(found)[0];
  }

  /** The entries of every account beyond one of them, in order. */
  async entriesAfter(seq: number, limit: number): Promise<(AuditPlace & { recorded: RecordedAuditEntry })[]> {
    const found: unknown = await this.dataSource.query(
      `select ${entryColumns} from audit_entry where seq > $1 order by seq limit $2`,
      [seq, limit],
    );
    return entriesIn(found);
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
   * Takes the one cursor by which the audit is exported, for a time. The first one that takes it begins at the newest event, and at
   * the oldest entry.
   * @returns how far the export has come; undefined while another process has it
   */
  async takeCursor(holder: string, forMs: number): Promise<AuditPlace | undefined> {
    return this.dataSource.transaction(async (manager) => {
      await this.beginExport(manager);
      const found: unknown = await manager.query(
        `with taken as (
           update audit_export set holder = $1, held_until = now() + $2 * interval '1 ms'
           where holder = $1 or held_until < now() returning position, seq
         ) select position, seq from taken`,
        [holder, forMs],
      );
      return places.parse(found)[0];
    });
  }

  /** Notes how far the export has come. @returns whether the holder still has the cursor */
  async moveCursor(holder: string, { position, seq }: AuditPlace): Promise<boolean> {
    const found: unknown = await this.dataSource.query(
      `with moved as (update audit_export set position = $2, seq = $3 where holder = $1 returning position, seq)
       select position, seq from moved`,
      [holder, position, seq],
    );
    return places.parse(found).length > 0;
  }

  private async beginExport(manager: EntityManager): Promise<void> {
    await manager.query(
      `insert into audit_export (id, position, seq, held_until)
       select 1, ledger_head(), 0, '-infinity' on conflict do nothing`,
    );
  }
}

function itemOf(event: RecordedEvent): AuditItem {
  return { position: event.position, seq: 0, event };
}

/** An entry that only a newer version can read is left out. */
function entriesIn(found: unknown): (AuditPlace & { recorded: RecordedAuditEntry })[] {
  return rows.parse(found).flatMap(({ position, seq, id, account_id: accountId, at, entry }) => {
    const known = auditEntry.safeParse(entry).data;
    return known ? [{ position, seq, recorded: { id, accountId, at, entry: known } }] : [];
  });
}

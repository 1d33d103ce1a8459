/**
 * The one order of what happened: the events of the ledger, and the entries of the audit that are no events. An entry comes after the
 * newest event of its time. It is written under the ledger's lock, so a reader never finds one that lies before what it has read.
 */
import type { AuditEntry, RecordedEvent } from '@strongroom/contracts';

/** The place of an item: that of an event, and of the entries after it. */
export interface LedgerPlace {
  position: number;
  /** 0 for the event itself. */
  seq: number;
}

export interface RecordedAuditEntry {
  id: string;
  accountId: string | null;
  at: Date;
  entry: AuditEntry;
}

export type LedgerItem = LedgerPlace & ({ event: RecordedEvent } | { recorded: RecordedAuditEntry });

export function inOrder(a: LedgerPlace, b: LedgerPlace): number {
  return a.position - b.position || a.seq - b.seq;
}

export function itemOf(event: RecordedEvent): LedgerItem {
  return { position: event.position, seq: 0, event };
}

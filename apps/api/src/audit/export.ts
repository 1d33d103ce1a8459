/**
 * Writes the audit of all accounts to a file or to syslog, each line at least once. One process of the deployment does it at a time. It
 * notes how far it has come when the lines are written; what another process wrote and did not note is written again. An event or entry
 * that this version can't read is written as it is recorded: the cursor goes beyond it, so that no newer version comes back to it.
 */
import {
  type AuditResource,
  auditedEvents,
  isKnownType,
  parseEventOrNewer,
  type RecordedEvent,
} from '@strongroom/contracts';
import type { AuditTrail, Ledger, LedgerPlace, TailRow, UnreadAuditEntry } from '@strongroom/ledger';
import type { Logger, Metrics } from '@strongroom/runtime';
import { z } from 'zod';
import { auditOfEntry, auditOfEvent } from './resource.js';
import type { AuditLine, AuditSink } from './sinks.js';

const batchSize = 500;
const holdMs = 30_000;

export interface AuditExportParts {
  trail: AuditTrail;
  ledger: Ledger;
  sink: AuditSink;
  /** The name of the process, and of no other. */
  holder: string;
  log: Logger;
  unread: ReturnType<typeof unreadInExport>;
}

/** Counts what this version can't read. */
export function unreadInExport(metrics: Metrics) {
  return metrics.counter({
    name: 'strongroom_audit_left_out_total',
    help: 'Events and entries that could not be read, and are in the exported audit as they are recorded. The log names them.',
    labels: ['to'],
  });
}

export class AuditExport {
  constructor(private readonly parts: AuditExportParts) {}

  get to(): AuditSink['name'] {
    return this.parts.sink.name;
  }

  /** @returns whether there may be more to write */
  async some(): Promise<'again' | 'done'> {
    const { trail, sink, holder } = this.parts;
    const from = await trail.takeCursor(sink.name, holder, holdMs);
    if (!from) return 'done';
    const { entries, unread, end: seq, looked } = await trail.entriesAfter(from.seq, batchSize);
    const { lines: ofEvents, end: position, read } = await this.eventsAfter(from.position);
    if (unread.length > 0) this.tellUnread(`entries up to ${seq}`, unread.length);
    const lines = [
      ...ofEvents,
      ...entries.flatMap((entry) => lineOf(entry.accountId, auditOfEntry(entry))),
      ...unread.map(unreadEntry),
    ];
    if (lines.length > 0) await sink.write(lines);
    const to: LedgerPlace = { position, seq };
    if (to.position === from.position && to.seq === from.seq) return 'done';
    if (!(await trail.moveCursor(sink.name, holder, to))) return 'done';
    return read === batchSize || looked === batchSize ? 'again' : 'done';
  }

  private async eventsAfter(position: number): Promise<{ lines: AuditLine[]; end: number; read: number }> {
    const { ledger } = this.parts;
    const places = await ledger.positionsBetween(position, Number.MAX_SAFE_INTEGER, batchSize);
    // A newer version may count a type among the audited ones that this version does not know at all.
    const asked = places.filter(({ type }) => auditedEvents.some((each) => each === type) || !isKnownType(type));
    const rows = await ledger.eventsAt(asked.map((each) => each.position));
    const lines = rows.flatMap((row) => {
      const event = read(row.event);
      if (event) return lineOf(event.accountId, auditOfEvent(event));
      this.tellUnread(`the event at ${row.position}`, 1);
      return [unreadEvent(row)];
    });
    return { lines, end: places.at(-1)?.position ?? position, read: places.length };
  }

  private tellUnread(what: string, count: number): void {
    const { unread, log, sink } = this.parts;
    unread.inc({ to: sink.name }, count);
    log.warn({ to: sink.name, count }, `${what} can't be read, and so much of it is exported as it is recorded`);
  }
}

function read(event: unknown): RecordedEvent | undefined {
  try {
    const parsed = parseEventOrNewer(event);
    return 'newerType' in parsed ? undefined : parsed;
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    return undefined;
  }
}

function lineOf(accountId: string | null, item: AuditResource | undefined): AuditLine[] {
  return item ? [{ at: item.at, json: JSON.stringify({ account_id: accountId, ...item }) }] : [];
}

const ofAccount = z.object({ accountId: z.string().nullable().catch(null) });

function unreadEvent({ id, at, type, event }: TailRow): AuditLine {
  const { accountId } = ofAccount.parse(event);
  return { at, json: JSON.stringify({ account_id: accountId, id, at, type, as_recorded: event }) };
}

function unreadEntry({ id, accountId, at: when, entry }: UnreadAuditEntry): AuditLine {
  const at = when.toISOString();
  const { type } = z
    .object({ type: z.string().nullable().catch(null) })
    .catch({ type: null })
    .parse(entry);
  return { at, json: JSON.stringify({ account_id: accountId, id, at, type, as_recorded: entry }) };
}

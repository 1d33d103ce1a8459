/**
 * Writes the audit of all accounts to a file or to syslog, each line at least once. One process of the deployment does it at a time. It
 * notes how far it has come when the lines are written; what another process wrote and did not note is written again.
 */
import { type AuditResource, auditedEvents, parseEventOrNewer, type RecordedEvent } from '@strongroom/contracts';
import type { AuditTrail, Ledger, LedgerPlace } from '@strongroom/ledger';
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
  leftOut: ReturnType<typeof leftOutOfExport>;
}

/** Counts what could not be exported, because this version can't read it. */
export function leftOutOfExport(metrics: Metrics) {
  return metrics.counter({
    name: 'strongroom_audit_left_out_total',
    help: 'Audited events and entries that could not be read, and are not in the exported audit. The log names them.',
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
    const { entries, end: seq, looked } = await trail.entriesAfter(from.seq, batchSize);
    const { events, end: position, read } = await this.eventsAfter(from.position);
    this.leaveOut(looked - entries.length, `entries up to ${seq}`);
    const lines = [
      ...events.flatMap((event) => lineOf(event.accountId, auditOfEvent(event))),
      ...entries.flatMap((entry) => lineOf(entry.accountId, auditOfEntry(entry))),
    ];
    if (lines.length > 0) await sink.write(lines);
    const to: LedgerPlace = { position, seq };
    if (to.position === from.position && to.seq === from.seq) return 'done';
    if (!(await trail.moveCursor(sink.name, holder, to))) return 'done';
    return read === batchSize || looked === batchSize ? 'again' : 'done';
  }

  private async eventsAfter(position: number): Promise<{ events: RecordedEvent[]; end: number; read: number }> {
    const { ledger } = this.parts;
    const places = await ledger.positionsBetween(position, Number.MAX_SAFE_INTEGER, batchSize);
    const rows = await ledger.eventsAt(
      places.filter(({ type }) => auditedEvents.some((each) => each === type)).map((each) => each.position),
    );
    const events = rows.flatMap(({ event, position: at }) => {
      const parsed = read(event);
      if (!parsed) this.leaveOut(1, `the event at ${at}`);
      return parsed ?? [];
    });
    return { events, end: places.at(-1)?.position ?? position, read: places.length };
  }

  private leaveOut(count: number, what: string): void {
    if (count === 0) return;
    const { leftOut, log, sink } = this.parts;
    leftOut.inc({ to: sink.name }, count);
    log.warn({ to: sink.name, count }, `${what} can't be read, and so much of it is not in the exported audit`);
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

/**
 * Writes the audit of all accounts to a file or to syslog, each line at least once. One process of the deployment does it at a time. It
 * notes how far it has come when the lines are written; what another process wrote and did not note is written again.
 */
import { type AuditResource, auditedEvents, parseEventOrNewer, type RecordedEvent } from '@strongroom/contracts';
import type { AuditPlace, AuditTrail, Ledger } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import { z } from 'zod';
import { auditOfEntry, auditOfEvent } from './resource.js';
import type { AuditLine, AuditSink } from './sinks.js';

const batchSize = 500;
const holdMs = 30_000;

export class AuditExport {
  constructor(
    private readonly parts: {
      trail: AuditTrail;
      ledger: Ledger;
      sinks: readonly AuditSink[];
      /** The name of the process, and of no other. */
      holder: string;
      log: Logger;
    },
  ) {}

  /** @returns whether there may be more to write */
  async some(): Promise<'again' | 'done'> {
    const { trail, sinks, holder } = this.parts;
    const from = await trail.takeCursor(holder, holdMs);
    if (!from) return 'done';
    const entries = await trail.entriesAfter(from.seq, batchSize);
    const { events, end, read } = await this.eventsAfter(from.position);
    const lines = [
      ...events.flatMap((event) => lineOf(event.accountId, auditOfEvent(event))),
      ...entries.flatMap(({ recorded }) => lineOf(recorded.accountId, auditOfEntry(recorded))),
    ];
    if (lines.length > 0) for (const sink of sinks) await sink.write(lines);
    const to: AuditPlace = { position: end, seq: entries.at(-1)?.seq ?? from.seq };
    if (to.position === from.position && to.seq === from.seq) return 'done';
    if (!(await trail.moveCursor(holder, to))) return 'done';
    return read === batchSize || entries.length === batchSize ? 'again' : 'done';
  }

  private async eventsAfter(position: number): Promise<{ events: RecordedEvent[]; end: number; read: number }> {
    const { ledger, log } = this.parts;
    const places = await ledger.positionsBetween(position, Number.MAX_SAFE_INTEGER, batchSize);
    const rows = await ledger.eventsAt(
      places.filter(({ type }) => auditedEvents.some((each) => each === type)).map((each) => each.position),
    );
    const events = rows.flatMap(({ event, position: at }) => {
      try {
        const parsed = parseEventOrNewer(event);
        return 'newerType' in parsed ? [] : [parsed];
      } catch (error) {
        if (!(error instanceof z.ZodError)) throw error;
        log.warn({ err: error, position: at }, 'an event that can not be read is not in the exported audit');
        return [];
      }
    });
    return { events, end: places.at(-1)?.position ?? position, read: places.length };
  }
}

function lineOf(accountId: string | null, item: AuditResource | undefined): AuditLine[] {
  return item ? [{ at: item.at, json: JSON.stringify({ account_id: accountId, ...item }) }] : [];
}

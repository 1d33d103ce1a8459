/** Reads events from rows of the ledger, each apart from the others: one that can't be read stops no other. */
import { Fault, messageOf, parseEventOrNewer, type RecordedEvent } from '@strongroom/contracts';
import { z } from 'zod';
import { envelopeIn } from './event-row.js';

/** An event that this version can't read. */
export interface UnreadEvent {
  accountId: string;
  stream: string;
  position: number;
  /** The type that only a newer version knows, as `parseEventOrNewer` tells it; undefined when the event is of no known form. */
  newerType?: string;
  /** Why, as a sentence for people. */
  reason: string;
}

export interface ReadEvents {
  /** In the order of the rows, without those of `newer` and `unreadable`. */
  events: RecordedEvent[];
  /** Events of a type, or with a value, that only a newer version knows. */
  newer: (UnreadEvent & { newerType: string })[];
  /** Events that no version is known to read. */
  unreadable: UnreadEvent[];
  /** How many rows there were. */
  read: number;
  /** The position of the last row; undefined when there was none. */
  end: number | undefined;
}

/** A stream holds an event that this version can't read. A newer version may read it. */
export class UnreadableStreamFault extends Fault<'stream-unreadable'> {
  override readonly name = 'UnreadableStreamFault';

  constructor(
    readonly stream: string,
    reason: string,
    /** Whether a newer version is known to read it. */
    readonly isNewer: boolean,
  ) {
    super('stream-unreadable', true, `the history of ${stream} can't be read: ${reason}`);
  }
}

export function isUnreadable(error: unknown): error is UnreadableStreamFault {
  return error instanceof UnreadableStreamFault;
}

/** Whether only a newer version can go on. What it could still do must not be ended by this one. */
export function isForNewerVersion(error: unknown): boolean {
  return isUnreadable(error) && error.isNewer;
}

const rowsRead = z.array(z.unknown());
const place = z
  .object({ position: z.coerce.number(), stream: z.string(), account_id: z.string() })
  .transform(({ account_id, ...rest }) => ({ ...rest, accountId: account_id }));
const mostIssues = 3;

export function readEvents(rows: unknown): ReadEvents {
  const found: ReadEvents = { events: [], newer: [], unreadable: [], read: 0, end: undefined };
  for (const row of rowsRead.parse(rows)) {
    found.read += 1;
    try {
      const event = parseEventOrNewer(envelopeIn(row));
      if ('newerType' in event) {
        const { newerType } = event;
        const at = place.parse(row);
        const reason = `only a newer version knows the event at position ${at.position}, ${newerType}`;
        found.newer.push({ ...at, newerType, reason });
        found.end = at.position;
      } else {
        found.events.push(event);
        found.end = event.position;
      }
    } catch (error) {
      if (!(error instanceof z.ZodError)) throw error;
      const at = place.parse(row);
      found.unreadable.push({
        ...at,
        reason: `the event at position ${at.position} has no known form: ${wrong(error)}`,
      });
      found.end = at.position;
    }
  }
  return found;
}

/** The events. @throws {UnreadableStreamFault} when one of them can't be read */
export function allRead({ events, newer, unreadable }: ReadEvents): RecordedEvent[] {
  const [first] = [...unreadable, ...newer];
  if (first) throw faultOfStream(first);
  return events;
}

/** The events of each stream, and for each stream that can't be read the reason. A stream that does not exist is in neither. */
export function byStream({ events, newer, unreadable }: ReadEvents): {
  told: Map<string, RecordedEvent[]>;
  unreadable: Map<string, UnreadableStreamFault>;
} {
  const told = new Map<string, RecordedEvent[]>();
  for (const event of events) {
    const before = told.get(event.stream);
    if (before) before.push(event);
    else told.set(event.stream, [event]);
  }
  const faults = new Map<string, UnreadableStreamFault>();
  for (const each of [...newer, ...unreadable]) {
    faults.set(each.stream, faultOfStream(each));
    told.delete(each.stream);
  }
  return { told, unreadable: faults };
}

function faultOfStream({ stream, reason, newerType }: UnreadEvent): UnreadableStreamFault {
  return new UnreadableStreamFault(stream, reason, newerType !== undefined);
}

function wrong(error: z.ZodError): string {
  const issues = error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message));
  const more = issues.length > mostIssues ? `; and ${issues.length - mostIssues} more` : '';
  return issues.length > 0 ? `${issues.slice(0, mostIssues).join('; ')}${more}` : messageOf(error);
}

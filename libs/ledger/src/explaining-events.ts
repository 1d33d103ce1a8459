/**
 * Reads from the ledger what explains one thing: the newest event of each type in its streams, and pages of its events, the newest first.
 * Each read is bounded, whatever the statistics say: a schedule has a run each day for years, and a stream may have events for as long. So no
 * more is read than is given, and the first events of each stream. The order of pages is that of the recorded times: a past instant is found in an
 * index as the end of the history is.
 */
import { eventTypes, type RecordedEvent, type StreamName } from '@strongroom/contracts';
import type { DataSource, QueryRunner } from 'typeorm';
import { z } from 'zod';
import { eventColumns } from './event-row.js';
import { readEvents } from './read-events.js';

/** The place of an event in this order. */
export interface TimeAndPosition {
  at: Date;
  position: number;
}

export interface EventsAsked {
  /** The latest time of an event that counts. Undefined: all count. */
  asOf: Date | undefined;
  /** The event before which the page ends. Undefined: it ends with the newest. */
  before: TimeAndPosition | undefined;
  limit: number;
}

const newestOfTypes = `select ${eventColumns} from ledger_newest_of_types($1, $2, $3) order by stream, type`;
const pauseOfSchedule = `select ${eventColumns} from ledger_pause_of($1, $2) order by version`;
const newestFirst = 'order by at desc, position desc';
const pageOfStreams = `select ${eventColumns} from ledger_page_of_streams($1, $2, $3, $4) ${newestFirst}`;
const pageOfSchedule = `select ${eventColumns} from ledger_page_of_schedule($1, $2, $3, $4) ${newestFirst}`;

const ever = 'infinity';
/** Beyond every position, as a text: it is more than a number of JavaScript can be. */
const beyondPositions = '9223372036854775807';
const places = z.array(z.object({ at: z.date(), position: z.coerce.number() }));

export class ExplainingEvents {
  /** @param database what runs the statements: the data source, or one session of it */
  constructor(private readonly database: Pick<DataSource | QueryRunner, 'query'>) {}

  /** The newest event of each type in each of the streams. What this version can't read is left out. */
  async newestOfTypes(streams: readonly StreamName[], asOf: Date | undefined): Promise<RecordedEvent[]> {
    if (streams.length === 0) return [];
    const rows: unknown = await this.database.query(newestOfTypes, [streams, eventTypes, asOf ?? ever]);
    return readEvents(rows).events;
  }

  /**
   * Of a schedule that is paused, the first event of this pause, and the newest of it that has a reason: one event or two, in order. Of one
   * that runs, or is deleted, there are none. What this version can't read is left out.
   */
  async pauseOf(stream: StreamName, asOf: Date | undefined): Promise<RecordedEvent[]> {
    const rows: unknown = await this.database.query(pauseOfSchedule, [stream, asOf ?? ever]);
    return readEvents(rows).events;
  }

  /** The newest events of the streams that are asked for, the newest first. What this version can't read is left out. */
  ofStreams(streams: readonly StreamName[], asked: EventsAsked): Promise<RecordedEvent[]> {
    return this.page(pageOfStreams, streams, asked);
  }

  /** The newest events of a schedule and of its runs that are asked for, the newest first. */
  ofSchedule(scheduleId: string, asked: EventsAsked): Promise<RecordedEvent[]> {
    return this.page(pageOfSchedule, scheduleId, asked);
  }

  /** The place of an event of the account; undefined when the account has none with this id. */
  async placeOf(accountId: string, eventId: string): Promise<TimeAndPosition | undefined> {
    const rows: unknown = await this.database.query(
      'select at, position from ledger_event where id = $1 and account_id = $2',
      [eventId, accountId],
    );
    return places.parse(rows)[0];
  }

  private async page(statement: string, of: unknown, asked: EventsAsked): Promise<RecordedEvent[]> {
    const rows: unknown = await this.database.query(statement, [of, ...endOf(asked), asked.limit]);
    return readEvents(rows).events;
  }
}

/** The time and the position before which a page is: one place, so that an index is entered there. */
function endOf({ asOf, before }: EventsAsked): [Date | string, number | string] {
  if (before && (asOf === undefined || before.at <= asOf)) return [before.at, before.position];
  return [asOf ?? ever, beyondPositions];
}

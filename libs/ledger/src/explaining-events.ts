/**
 * Reads from the ledger what explains one thing: the newest event of each type in its streams, and pages of its events, the newest first.
 * Each statement walks an index along the events of that thing alone, whatever the statistics say. Of streams it reads all, as whoever
 * executes a command on them does. A schedule has a run each day for years, so of its events it reads no more than it gives. Their order
 * is that of their times: a past instant is found in the index as the end of the history is.
 */
import type { RecordedEvent, StreamName } from '@strongroom/contracts';
import { explainedOfSchedules } from '@strongroom/domain';
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

const typesOfSchedules = explainedOfSchedules.map((type) => `'${type}'`).join(', ');
const beforeAsked = 'e.at <= $2 and (e.at, e.position) < ($3, $4)';
const newestFirst = 'order by at desc, position desc limit $5';

const newestOfTypes = `select distinct on (stream, type) ${eventColumns} from ledger_read($1) where at <= $2
  order by stream, type, version desc`;
/** Of a schedule that is paused: where its pause begins, and where a reason for it was given at last. */
const pauseOfSchedule = `with own as materialized (select * from ledger_read(array[$1]) where at <= $2), pause as (
    select * from own where version > coalesce((select max(version) from own where (data -> 'paused') is distinct from 'true'), 0)
  )
  select ${eventColumns} from pause where version in (
    (select min(version) from pause), (select max(version) from pause where context ->> 'reason' is not null)
  ) order by version`;
const pageOfStreams = `select ${eventColumns} from ledger_read($1) e where ${beforeAsked} ${newestFirst}`;
/** Of a schedule and of its runs. The types are those of the index `ledger_event_of_schedule`. */
const pageOfSchedule = `select ${eventColumns} from ledger_event e
  where e.data ->> 'scheduleId' = $1 and e.type in (${typesOfSchedules}) and ${beforeAsked} ${newestFirst}`;

const ever = 'infinity';
const places = z.array(z.object({ at: z.date(), position: z.coerce.number() }));

export class ExplainingEvents {
  /** @param database what runs the statements: the data source, or one session of it */
  constructor(private readonly database: Pick<DataSource | QueryRunner, 'query'>) {}

  /** The newest event of each type in each of the streams. What this version can't read is left out. */
  async newestOfTypes(streams: readonly StreamName[], asOf: Date | undefined): Promise<RecordedEvent[]> {
    const rows: unknown = await this.database.query(newestOfTypes, [streams, asOf ?? ever]);
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

  private async page(statement: string, of: unknown, { asOf, before, limit }: EventsAsked): Promise<RecordedEvent[]> {
    const end = [before?.at ?? ever, before?.position ?? 0];
    const rows: unknown = await this.database.query(statement, [of, asOf ?? ever, ...end, limit]);
    return readEvents(rows).events;
  }
}

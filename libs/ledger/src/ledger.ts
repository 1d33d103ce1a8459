/**
 * The ledger: the append-only record of everything that happened, in PostgreSQL. Position order is commit order, so one
 * number is a reader's whole place in it.
 */
import {
  type Aggregate,
  aggregateOf,
  checkNewEvent,
  parseEvent,
  parseEventOrNewer,
  type RecordedEvent,
  type StreamName,
} from '@strongroom/contracts';
import pg from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import { AppendNotices } from './append-notices.js';
import { AppendQueue } from './append-queue.js';
import {
  type AppendOutcome,
  type AppendRequest,
  type ExpectedStream,
  inTurns,
  isAppended,
  parseAnswers,
} from './append-request.js';
import { isOutage, LedgerFault } from './ledger-fault.js';

/** A committed event as the ledger gives it, not parsed yet: whoever handles it judges its form. */
export interface TailRow {
  position: number;
  id: string;
  type: string;
  stream: string;
  instanceId: string;
  /** ISO 8601, UTC. */
  at: string;
  /** The envelope, for `parseEvent`. */
  event: unknown;
}

/** An account's events beyond a position, as far as they were read. */
export interface AccountTail {
  events: RecordedEvent[];
  /** Of those that a newer version recorded and this one does not know, as `parseEventOrNewer` tells them. */
  newerTypes: string[];
  /** How many were read, of known types or not. */
  read: number;
  /** The place of the last one read; where the reading began when there was none. */
  end: number;
}

/** Of `ledger_append`. */
const appendLock = 7_236_001;
const eventColumns = 'position, id, stream, version, type, account_id, instance_id, at, data, context';

const eventRow = z
  .object({
    position: z.coerce.number(),
    id: z.string(),
    stream: z.string(),
    version: z.int(),
    type: z.string(),
    account_id: z.string(),
    instance_id: z.string(),
    at: z.date().transform((at) => at.toISOString()),
    data: z.unknown(),
    context: z.unknown(),
  })
  .transform(({ account_id, instance_id, ...rest }) => ({ ...rest, accountId: account_id, instanceId: instance_id }));

const positions = z.array(z.object({ position: z.coerce.number() }));
const typesOfPlaces = z.array(z.object({ position: z.coerce.number(), type: z.string() }));
const versionsOfStreams = z.array(z.object({ stream: z.string(), version: z.int() }));
const idsOfPlaces = z.array(z.object({ position: z.coerce.number(), id: z.string() }));

export class Ledger {
  private readonly queue: AppendQueue;

  constructor(private readonly dataSource: DataSource) {
    this.queue = new AppendQueue({
      write: (batch) => this.write(this.dataSource.manager, batch),
      holds: (request) => this.holds(request),
    });
  }

  /**
   * Appends one stream's events, grouped with what other callers of this process append at the time.
   * When it resolves with `appended` the events are on disk.
   * @throws {LedgerFault} when the database can't be reached
   */
  async append(request: AppendRequest): Promise<AppendOutcome> {
    // Before it is queued: a malformed event would fail the others of its batch.
    request.events.forEach(checkNewEvent);
    return this.queue.append(request);
  }

  /**
   * Appends within the caller's transaction, for a caller who changes rows of its own with it. It must be the last
   * statement before the commit: it holds the lock that every other append waits for. No two requests may share a
   * stream or a claim.
   */
  async appendWithin(manager: EntityManager, requests: AppendRequest[]): Promise<AppendOutcome[]> {
    if (requests.length === 0) return [];
    for (const { events } of requests) events.forEach(checkNewEvent);
    return this.write(manager, requests);
  }

  /**
   * Appends to several streams, to all or to none. No two requests may share a stream; a claim that one gives back the
   * next may take.
   * @param expects streams that the requests rely on; none of them may be one that is appended to
   * @returns the outcome of each request, up to the first group in which one is not appended: nothing was written then.
   * When an expected stream is at another version, nothing was written either, and each outcome is a conflict.
   * @throws {LedgerFault} when the database can't be reached
   */
  async appendTogether(
    requests: AppendRequest[],
    { expects = [] }: { expects?: readonly ExpectedStream[] } = {},
  ): Promise<AppendOutcome[]> {
    const run = this.dataSource.createQueryRunner();
    try {
      await run.startTransaction();
      // A process that freezes before its commit keeps the lock from all others for seconds, not for the session's half minute.
      await run.query(`set local idle_in_transaction_session_timeout = '2s'`);
      const outcomes: AppendOutcome[] = [];
      for (const turn of inTurns(requests)) {
        outcomes.push(...(await this.appendWithin(run.manager, turn)));
        if (outcomes.every(isAppended)) continue;
        await run.rollbackTransaction();
        return outcomes;
      }
      if (!(await this.areAsExpected(run.manager, expects))) {
        await run.rollbackTransaction();
        return requests.map(() => ({ outcome: 'conflict' }));
      }
      await run.commitTransaction();
      return outcomes;
    } catch (error) {
      if (run.isTransactionActive) await run.rollbackTransaction().catch(() => {});
      throw isOutage(error) ? new LedgerFault(error) : error;
    } finally {
      await run.release();
    }
  }

  /** An account's events beyond a position, in order: of every kind that this version knows. */
  async followAccount(accountId: string, after: number, limit: number): Promise<RecordedEvent[]> {
    const found: RecordedEvent[] = [];
    for (let from = after; ; ) {
      const wanted = limit - found.length;
      const { events, read, end } = await this.tailOfAccount(this.dataSource.manager, accountId, from, wanted);
      found.push(...events);
      if (read < wanted || found.length === limit) return found;
      from = end;
    }
  }

  /** The place of an account's event in the ledger; undefined when the account has no such event. */
  async positionOf(accountId: string, eventId: string): Promise<number | undefined> {
    const rows: unknown = await this.dataSource.query(
      'select position from ledger_event where id = $1 and account_id = $2',
      [eventId, accountId],
    );
    return positions.parse(rows)[0]?.position;
  }

  /** The place of an account's newest event; 0 before the first. */
  async newestOf(accountId: string): Promise<number> {
    const rows: unknown = await this.dataSource.query(
      'select coalesce(max(position), 0) as position from ledger_event where account_id = $1',
      [accountId],
    );
    return positions.parse(rows)[0]?.position ?? 0;
  }

  /** A stream's events, oldest first; none for a stream that is not there. */
  async readStream(stream: StreamName): Promise<RecordedEvent[]> {
    const rows: unknown = await this.dataSource.query(
      `select ${eventColumns} from ledger_event where stream = $1 order by version`,
      [stream],
    );
    return z.array(eventRow).parse(rows).map(parseEvent);
  }

  /** Several streams at once, as the caller's transaction sees them; a stream that is not there is not in the answer. */
  async readStreams(manager: EntityManager, streams: StreamName[]): Promise<Map<string, RecordedEvent[]>> {
    const rows: unknown = await manager.query(
      `select ${eventColumns} from ledger_event where stream = any($1) order by stream, version`,
      [streams],
    );
    const found = new Map<string, RecordedEvent[]>();
    for (const event of z.array(eventRow).parse(rows).map(parseEvent)) {
      const events = found.get(event.stream);
      if (events) events.push(event);
      else found.set(event.stream, [event]);
    }
    return found;
  }

  /** The ids of the events at these places, by place; a place that holds no event is left out. */
  async idsAt(manager: EntityManager, places: readonly number[]): Promise<Map<number, string>> {
    const rows: unknown = await manager.query('select position, id from ledger_event where position = any($1)', [
      places,
    ]);
    return new Map(idsOfPlaces.parse(rows).map(({ position, id }) => [position, id]));
  }

  /** The place of the newest event of all; 0 before the first. */
  async head(): Promise<number> {
    const rows: unknown = await this.dataSource.query(
      'select coalesce(max(position), 0) as position from ledger_event',
    );
    return positions.parse(rows)[0]?.position ?? 0;
  }

  /** The places and types of the events beyond a position, up to another one, in order. */
  async placesBetween(after: number, upTo: number, limit: number): Promise<{ position: number; type: string }[]> {
    const rows: unknown = await this.dataSource.query(
      'select position, type from ledger_event where position > $1 and position <= $2 order by position limit $3',
      [after, upTo, limit],
    );
    return typesOfPlaces.parse(rows);
  }

  /** The events at these places, in order; a place that holds no event is left out. */
  async eventsAt(places: readonly number[]): Promise<TailRow[]> {
    const rows: unknown = await this.dataSource.query(
      `select ${eventColumns} from ledger_event where position = any($1) order by position`,
      [places],
    );
    return tailRows(rows);
  }

  /** Committed events of one kind of aggregate beyond a position, in order. */
  async tail(aggregate: Aggregate, after: number, limit: number): Promise<TailRow[]> {
    const rows: unknown = await this.dataSource.query(
      `select ${eventColumns} from ledger_event where aggregate = $1 and position > $2 order by position limit $3`,
      [aggregate, after, limit],
    );
    return tailRows(rows);
  }

  /** An account's events beyond a position, in order, as the caller's transaction sees them. */
  async tailOfAccount(manager: EntityManager, accountId: string, after: number, limit: number): Promise<AccountTail> {
    const found: unknown = await manager.query(
      `select ${eventColumns} from ledger_event where account_id = $1 and position > $2 order by position limit $3`,
      [accountId, after, limit],
    );
    const rows = z.array(eventRow).parse(found);
    const parsed = rows.map(parseEventOrNewer);
    return {
      events: parsed.flatMap((each) => ('newerType' in each ? [] : each)),
      newerTypes: [...new Set(parsed.flatMap((each) => ('newerType' in each ? each.newerType : [])))],
      read: rows.length,
      end: rows.at(-1)?.position ?? after,
    };
  }

  /** How far behind a reader at `after` is: the events beyond it, counted up to 100,000, and when the oldest happened. */
  async lag(aggregate: Aggregate, after: number): Promise<{ events: number; oldestAt: Date | null }> {
    const rows: unknown = await this.dataSource.query(
      `select count(*)::int as events, min(at) as "oldestAt" from
         (select at from ledger_event where aggregate = $1 and position > $2 order by position limit 100000) behind`,
      [aggregate, after],
    );
    const [row] = z
      .array(z.object({ events: z.int(), oldestAt: z.date().nullable() }))
      .length(1)
      .parse(rows);
    return row ?? { events: 0, oldestAt: null };
  }

  /**
   * Takes a claim without an event, within the caller's transaction: no append can take it any more. From here to the
   * commit it holds the lock that every append waits for.
   * @returns whether it was free
   */
  async claimWithin(
    manager: EntityManager,
    { kind, key }: { kind: string; key: string },
    holder: string,
  ): Promise<boolean> {
    await manager.query('select pg_advisory_xact_lock($1)', [appendLock]);
    const rows: unknown = await manager.query(
      `with taken as (
         insert into ledger_claim (kind, key, stream) values ($1, $2, $3) on conflict do nothing returning 1
       ) select from taken`,
      [kind, key, holder],
    );
    return z.array(z.unknown()).parse(rows).length > 0;
  }

  /** Those of the keys whose claim of a kind some stream holds, as the caller's transaction sees it. */
  async claimedOf(manager: EntityManager, kind: string, keys: readonly string[]): Promise<Set<string>> {
    const rows: unknown = await manager.query('select key from ledger_claim where kind = $1 and key = any($2)', [
      kind,
      keys,
    ]);
    return new Set(
      z
        .array(z.object({ key: z.string() }))
        .parse(rows)
        .map(({ key }) => key),
    );
  }

  /** Calls `wake` after appends by any process. Only a hint that may be lost: a reader polls as well. Returns its end. */
  async onAppend(wake: () => void): Promise<() => Promise<void>> {
    const { options } = this.dataSource;
    const connectionString = 'url' in options && typeof options.url === 'string' ? options.url : undefined;
    if (connectionString === undefined) throw new TypeError('the ledger needs a data source with a url');
    const notices = new AppendNotices(
      () =>
        new pg.Client({
          connectionString,
          application_name: 'strongroom-append-notices',
          connectionTimeoutMillis: 5_000,
          // Nothing is asked on it: only this shows that the other end is gone.
          keepAlive: true,
          keepAliveInitialDelayMillis: 10_000,
        }),
      wake,
    );
    notices.start();
    return () => notices.stop();
  }

  /** After an append of the same transaction: its lock keeps the streams as they are until the commit. */
  private async areAsExpected(manager: EntityManager, expects: readonly ExpectedStream[]): Promise<boolean> {
    if (expects.length === 0) return true;
    const rows: unknown = await manager.query(
      'select stream, max(version)::int as version from ledger_event where stream = any($1) group by stream',
      [expects.map(({ stream }) => stream)],
    );
    const versions = new Map(versionsOfStreams.parse(rows).map(({ stream, version }) => [stream, version]));
    return expects.every(({ stream, version }) => (versions.get(stream) ?? 0) === version);
  }

  private async write(manager: EntityManager, requests: AppendRequest[]): Promise<AppendOutcome[]> {
    const asked = requests.map((request, index) => ({
      ...request,
      request: index,
      aggregate: aggregateOf(request.stream),
    }));
    return parseAnswers(
      await manager.query('select * from ledger_append($1)', [JSON.stringify(asked)]),
      requests.length,
    );
  }

  private async holds({ stream, expectedVersion, events }: AppendRequest): Promise<AppendOutcome | undefined> {
    const written = (await this.readStream(stream)).slice(expectedVersion, expectedVersion + events.length);
    const first = written[0];
    const own = written.length === events.length && written.every(({ id }, index) => id === events[index]?.id);
    return own && first ? { outcome: 'appended', position: first.position, at: new Date(first.at) } : undefined;
  }
}

function tailRows(rows: unknown): TailRow[] {
  return z
    .array(eventRow)
    .parse(rows)
    .map((event) => ({
      position: event.position,
      id: event.id,
      type: event.type,
      stream: event.stream,
      instanceId: event.instanceId,
      at: event.at,
      event,
    }));
}

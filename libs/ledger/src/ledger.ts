/**
 * The ledger: the append-only record of everything that happened, in PostgreSQL. The order of positions is the order of
 * commits, so one number tells how far a reader is.
 */
import type { Aggregate, RecordedEvent, StreamName } from '@strongroom/contracts';
import { prepared, preparedWithin } from '@strongroom/runtime';
import pg from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import { AppendNotices } from './append-notices.js';
import type { AppendOutcome, AppendRequest, ExpectedStream, RelyingOutcome, RelyingRequest } from './append-request.js';
import { Appends } from './appends.js';
import { eventColumns, type TailRow, tailRows } from './event-row.js';
import { type EventText, eventTextRows, eventTexts, mostTextBytes } from './event-text.js';
import { type EventPlace, lastBefore } from './last-before.js';
import type { LedgerPlace } from './ledger-place.js';
import { type NextLimits, type NextOfAccount, nextOfAccounts } from './next-of-accounts.js';
import { allRead, byStream, type ReadEvents, readEvents, type UnreadableStreamFault } from './read-events.js';
import { streamReads } from './stream-reads.js';
import {
  type AccountsOfTail,
  accountsOfTail,
  endOfLedger,
  type TailOfAccounts,
  tailOfAccounts,
} from './tail-of-accounts.js';

const accountIds = z.array(z.object({ account_id: z.string() }));
const newestRows = z.array(z.object({ stream: z.string(), type: z.string(), at: z.date() }));
const positions = z.array(z.object({ position: z.coerce.number() }));
const typesOfPositions = z.array(z.object({ position: z.coerce.number(), type: z.string() }));
const streamPlaces = z.array(z.object({ stream: z.string(), position: z.coerce.number() }));
const looks = z.array(z.object({ read: z.int(), end: z.coerce.number(), found: streamPlaces })).length(1);
/** One walk along the index for each position, whatever the statistics say. A position may be asked for twice. */
const eventsOfPositions = `select e.* from (select distinct position from unnest($1::bigint[]) as given(position)) asked
  cross join lateral (select ${eventColumns} from ledger_event e where e.position = asked.position limit 1) e order by e.position`;
const eventsOfKind = `select ${eventColumns} from ledger_next_of_kind($1, $2, $3) order by position`;
/** How many of the newest events of a stream are looked at to see how often it has changed. */
const newestLookedAt = 2_000;

export class Ledger {
  private readonly appends: Appends;
  private readonly read: (stream: StreamName) => Promise<ReadEvents>;
  private readonly notices = new AppendNotices(() => this.noticesClient());

  constructor(private readonly dataSource: DataSource) {
    this.read = streamReads((streams) => this.readSome(this.dataSource.manager, streams));
    this.appends = new Appends(dataSource, (stream) => this.readStream(stream));
  }

  /**
   * Appends the events of one stream, together with what other callers of this process append at that time. The events are
   * on disk when it resolves with `appended`.
   * @throws {LedgerFault} when the database can't be reached
   */
  async append(request: AppendRequest): Promise<AppendOutcome> {
    return this.appends.queued(request);
  }

  /**
   * Appends within the caller's transaction, for a caller that changes rows of its own with the events. It must be the last
   * statement before the commit, because every other append waits for its lock. No two requests may share a stream or a
   * claim.
   */
  async appendWithin(manager: EntityManager, requests: AppendRequest[]): Promise<AppendOutcome[]> {
    return this.appends.within(manager, requests);
  }

  /**
   * As `appendWithin`, for requests that rely on other streams: one of which a stream has changed is `outdated`, and nothing of it is
   * written. No request may append to a stream that one relies on.
   */
  async appendRelying(manager: EntityManager, requests: readonly RelyingRequest[]): Promise<RelyingOutcome[]> {
    return this.appends.relying(manager, requests);
  }

  /**
   * Appends to several streams, to all or to none. No two requests may share a stream. A request may take the claim that
   * an earlier one gives back.
   * @param expects streams that the requests rely on; none of them may be one that is appended to
   * @returns the outcome of each request, up to the first group in which one is not appended: nothing was written then.
   * When an expected stream is at another version, nothing was written either, and each outcome is a conflict.
   * @throws {LedgerFault} when the database can't be reached
   */
  async appendTogether(
    requests: AppendRequest[],
    { expects = [] }: { expects?: readonly ExpectedStream[] } = {},
  ): Promise<AppendOutcome[]> {
    return this.appends.together(requests, expects);
  }

  /**
   * The events of an account beyond a position, in order. What this version can't read is left out.
   * @param among the only instances whose events are asked for. Default: all
   */
  async followAccount(
    accountId: string,
    after: number,
    limit: number,
    among?: readonly string[],
  ): Promise<RecordedEvent[]> {
    const found: RecordedEvent[] = [];
    for (let from = after; ; ) {
      const wanted = limit - found.length;
      const { events, read, end } = await this.tailOfAccount(this.dataSource.manager, accountId, from, wanted, among);
      found.push(...events);
      if (read < wanted || found.length === limit || end === undefined) return found;
      from = end;
    }
  }

  /** The position of an event of an account; undefined when the account has no such event. */
  async positionOf(accountId: string, eventId: string): Promise<number | undefined> {
    const rows: unknown = await this.dataSource.query(
      'select position from ledger_event where id = $1 and account_id = $2',
      [eventId, accountId],
    );
    return positions.parse(rows)[0]?.position;
  }

  /** The position of an account's newest event; 0 before its first. */
  async newestOf(accountId: string): Promise<number> {
    const rows: unknown = await this.dataSource.query('select ledger_newest_of($1) as position', [accountId]);
    return positions.parse(rows)[0]?.position ?? 0;
  }

  /** The last event of an account before an instant, by the clock of the database; undefined when there is none. */
  lastBefore(
    accountId: string,
    instant: Date,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<EventPlace | undefined> {
    return lastBefore(manager, accountId, instant);
  }

  /** The place of the newest item of all accounts, from which `tailOfAccounts` goes on. */
  async end(): Promise<LedgerPlace> {
    return endOfLedger(this.dataSource.manager);
  }

  /**
   * The events and the entries of the audit of some accounts beyond a place, in order. One statement reads them all.
   * @param limit how many events, and how many entries, of all accounts are looked at
   */
  async tailOfAccounts(accountIds: readonly string[], after: LedgerPlace, limit: number): Promise<TailOfAccounts> {
    return tailOfAccounts(this.dataSource.manager, accountIds, after, limit);
  }

  /** The accounts of the events beyond a position. @param limit how many events are looked at */
  async accountsOfTail(after: number, limit: number): Promise<AccountsOfTail> {
    return accountsOfTail(this.dataSource.manager, after, limit);
  }

  /**
   * The events of a stream, the oldest first; none for a stream that does not exist.
   * @throws {UnreadableStreamFault} when this version can't read one of them
   */
  async readStream(stream: StreamName): Promise<RecordedEvent[]> {
    return allRead(await this.read(stream));
  }

  /** Those events of a stream that this version can read, the oldest first. They do not give the stream's state. */
  async readableOf(stream: StreamName): Promise<RecordedEvent[]> {
    return (await this.readSome(this.dataSource.manager, [stream])).events;
  }

  /**
   * The events of several streams, as the caller's transaction sees them. A stream that does not exist is left out.
   * @throws {UnreadableStreamFault} when this version can't read one of the streams
   */
  async readStreams(manager: EntityManager, streams: StreamName[]): Promise<Map<string, RecordedEvent[]>> {
    const { told, unreadable } = await this.readEach(manager, streams);
    for (const fault of unreadable.values()) throw fault;
    return told;
  }

  /** As `readStreams`, but a stream that this version can't read stops no other: it is among the unreadable ones. */
  async readEach(
    manager: EntityManager,
    streams: readonly StreamName[],
  ): Promise<{ told: Map<string, RecordedEvent[]>; unreadable: Map<string, UnreadableStreamFault> }> {
    return byStream(await this.readSome(manager, streams));
  }

  /** The events of some streams, up to a position, by stream and version; what can't be read is told apart. */
  async readSome(manager: EntityManager, streams: readonly string[], upTo?: number): Promise<ReadEvents> {
    const rows: unknown = await manager.query(
      `select ${eventColumns} from ledger_read($1)${upTo === undefined ? '' : ' where position <= $2'} order by stream, version`,
      upTo === undefined ? [streams] : [streams, upTo],
    );
    return readEvents(rows);
  }

  /** The ids of the next accounts that have an event, in order, beyond an account. Its cost goes by their number. */
  async accountsBeyond(accountId: string | undefined, limit: number): Promise<string[]> {
    const rows: unknown = await this.dataSource.query(
      `with recursive found as (
         (select account_id from ledger_event where account_id > $1 order by account_id, position limit 1)
         union all
         select (select e.account_id from ledger_event e where e.account_id > f.account_id order by e.account_id, e.position limit 1)
         from found f where f.account_id is not null
       ) select account_id from found where account_id is not null limit $2`,
      [accountId ?? '', limit],
    );
    return accountIds.parse(rows).map(({ account_id }) => account_id);
  }

  /**
   * When a stream of an account will have fewer than so many events of some types within a day. It looks at the newest events
   * alone, however long the history is.
   * @returns the seconds until then; undefined when it has fewer now
   */
  async untilFewer(
    accountId: string,
    stream: StreamName,
    types: readonly string[],
    most: number,
  ): Promise<number | undefined> {
    const rows: unknown = await this.dataSource.query(
      // A time that lies ahead was written by a clock that has been put right since.
      `select least(greatest(ceil(extract(epoch from at + interval '1 day' - now())), 1), 86400)::int as seconds from (
         select at, type, version from ledger_event where stream = $1 and account_id = $2 order by version desc limit $5
       ) as newest
       where type = any($3) and at > now() - interval '1 day' order by version desc offset $4 limit 1`,
      [stream, accountId, types, most - 1, newestLookedAt],
    );
    return z.array(z.object({ seconds: z.int() })).parse(rows)[0]?.seconds;
  }

  /** By stream, the type of its newest event and when it happened. A stream that does not exist is left out. */
  async newestOfStreams(streams: readonly StreamName[]): Promise<Map<string, { type: string; at: Date }>> {
    const rows: unknown = await this.dataSource.query(
      `select newest.* from unnest($1::text[]) as asked(stream) cross join lateral (
         select stream, type, at from ledger_event e where e.stream = asked.stream order by version desc limit 1
       ) newest`,
      [streams],
    );
    return new Map(newestRows.parse(rows).map(({ stream, type, at }) => [stream, { type, at }]));
  }

  /** The position of the newest event of the ledger; 0 before the first. */
  async head(): Promise<number> {
    const rows: unknown = await this.dataSource.query('select ledger_head() as position');
    return positions.parse(rows)[0]?.position ?? 0;
  }

  /** The positions and types of the events beyond one position and up to another one, in order. */
  async positionsBetween(after: number, upTo: number, limit: number): Promise<{ position: number; type: string }[]> {
    const rows: unknown = await this.dataSource.query(
      'select position, type from ledger_event where position > $1 and position <= $2 order by position limit $3',
      [after, upTo, limit],
    );
    return typesOfPositions.parse(rows);
  }

  /**
   * The events at these positions, in order, as the manager's transaction sees them. A position without an event is left out.
   * They are not parsed yet.
   */
  async eventsAt(at: readonly number[], manager = this.dataSource.manager): Promise<TailRow[]> {
    const rows: unknown = await preparedWithin(manager, eventsOfPositions, [at]);
    return tailRows.parse(rows);
  }

  /** The committed events of one kind of aggregate beyond a position, in order. */
  async tail(aggregate: Aggregate, after: number, limit: number): Promise<TailRow[]> {
    const rows: unknown = await prepared(this.dataSource, eventsOfKind, [aggregate, after, limit]);
    return tailRows.parse(rows);
  }

  /** As `tail`, for a reader that does not look into the events. @param mostBytes of data: beyond them there is no further event */
  async textsAfter(
    aggregate: Aggregate,
    after: number,
    limit: number,
    mostBytes = mostTextBytes,
  ): Promise<EventText[]> {
    return eventTextRows.parse(await this.dataSource.query(eventTexts, [aggregate, after, limit, mostBytes]));
  }

  /** The events of an account beyond a position, in order, as the caller's transaction sees them. */
  async tailOfAccount(
    manager: EntityManager,
    accountId: string,
    after: number,
    limit: number,
    among?: readonly string[],
  ): Promise<ReadEvents> {
    const found: unknown = await manager.query(
      `select ${eventColumns} from ledger_event where account_id = $1 and position > $2
       ${among === undefined ? '' : 'and instance_id = any($4)'} order by position limit $3`,
      [accountId, after, limit, ...(among === undefined ? [] : [among])],
    );
    return readEvents(found);
  }

  /** The events of many accounts beyond a position each, as the caller's transaction sees them. */
  nextOfAccounts(
    manager: EntityManager,
    after: ReadonlyMap<string, number>,
    limits: NextLimits,
  ): Promise<Map<string, NextOfAccount>> {
    return nextOfAccounts(manager, after, limits);
  }

  /**
   * Looks for events of newer types among the next events of an account.
   * @param newerTypes types, or types with a value, as `parseEventOrNewer` tells them
   * @param range beyond one position and up to another one; and how many events are looked at
   * @returns the places of those events in order, and the position up to which was looked; undefined at the end of the range
   */
  async placesOf(
    manager: EntityManager,
    accountId: string,
    newerTypes: readonly string[],
    { after, upTo, limit }: { after: number; upTo: number; limit: number },
  ): Promise<{ found: { stream: string; position: number }[]; end: number | undefined }> {
    const asked = newerTypes.map((newerType) => {
      const [, type = newerType, path = null, value = null] = /^(\w+) ([\w.]+)=(.*)$/s.exec(newerType) ?? [];
      return { type, path, value };
    });
    const rows: unknown = await manager.query(
      `with looked as (
         select position, stream, type, data from ledger_event
         where account_id = $1 and position > $2 and position <= $3 order by position limit $4
       ), of_type as (
         select stream, position from looked where exists (
           select from unnest($5::text[], $6::text[], $7::text[]) as asked(type, path, value)
           where asked.type = looked.type and (path is null or data #>> string_to_array(path, '.') = value))
       )
       select (select count(*) from looked)::int as read, coalesce((select max(position) from looked), 0) as end,
         coalesce((select json_agg(of_type order by position) from of_type), '[]') as found`,
      [
        ...[accountId, after, upTo, limit],
        ...[asked.map(({ type }) => type), asked.map(({ path }) => path), asked.map(({ value }) => value)],
      ],
    );
    const [look] = looks.parse(rows);
    return { found: look?.found ?? [], end: look?.read === limit ? look.end : undefined };
  }

  /** How far behind a reader at `after` is: how many events are beyond it, up to 100,000, and when the oldest of them happened. */
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

  /** Gives back claims of one kind without an event, no matter which streams hold them, within the caller's transaction. */
  async releaseClaims(manager: EntityManager, kind: string, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await manager.query('select ledger_give_back_claims($1, $2)', [kind, keys]);
  }

  /** The claims of this kind that are held, as the caller's transaction sees it: by key, the stream that holds it. */
  async claimedOf(manager: EntityManager, kind: string, keys: readonly string[]): Promise<Map<string, string>> {
    const rows: unknown = await manager.query(
      'select key, stream from ledger_claim where kind = $1 and key = any($2)',
      [kind, keys],
    );
    return new Map(
      z
        .array(z.object({ key: z.string(), stream: z.string() }))
        .parse(rows)
        .map(({ key, stream }) => [key, stream]),
    );
  }

  /**
   * Calls `wake` soon after appends by any process, and now and then without one. A process that can't hear of appends is called each
   * second.
   * @returns a function that ends the calls
   */
  async onAppend(wake: () => void): Promise<() => Promise<void>> {
    return this.notices.add(wake);
  }

  private noticesClient(): pg.Client {
    const { options } = this.dataSource;
    const connectionString = 'url' in options && typeof options.url === 'string' ? options.url : undefined;
    if (connectionString === undefined) throw new TypeError('the ledger needs a data source with a url');
    return new pg.Client({
      connectionString,
      application_name: 'strongroom-append-notices',
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
  }
}

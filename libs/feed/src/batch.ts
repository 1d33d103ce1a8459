/**
 * Handles messages with effect exactly once. A message is only the news of an event: the handlers get the event as the ledger
 * has it. What they write and the group's offset change in one transaction. A message that was handled before is skipped, and
 * so is one whose event is not in the ledger. A message that can't be handled is set aside. An outage is thrown, and the
 * caller waits for its end. A gap before the messages is thrown, and the caller goes back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { parseEventOrNewer, type RecordedEvent } from '@strongroom/contracts';
import { isOutage, type Ledger, type TailRow } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import type { DeadLetters } from './dead-letters.js';
import { FeedContext } from './feed-context.js';
import { FeedFault } from './feed-fault.js';
import { type FeedMessage, type Place, type ReadMessage, readMessage } from './feed-message.js';
import type { Altered, FeedMetrics } from './feed-metrics.js';
import {
  after,
  feedOffsets,
  type Handled,
  isRepetition,
  type Offsets,
  type PartitionKey,
  passedOver,
} from './feed-offsets.js';
import { claimUnhandled } from './handled-events.js';
import type { Handlers } from './handlers.js';
import { ledgerHeader } from './kafka/cloud-event.js';
import { OffsetGap } from './offset-gap.js';

/** How often a message is tried alone before it is set aside. */
const triesAlone = 3;
const firstPauseMs = 100;

export interface BatchParts {
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  handlers: Handlers;
  deadLetters: Pick<DeadLetters, 'setAside' | 'hasRoom'>;
  metrics: Pick<FeedMetrics, 'handled' | 'setAside' | 'unrecorded' | 'newer' | 'altered'>;
  /** Default: the offsets of the group in its feed. */
  offsets?: Offsets;
  /** Whether a message of the event belongs where it lies. Default: it does. */
  belongs?(event: TailRow, key: PartitionKey, handled: Handled): boolean;
  /** Told the name of the ledger that messages came from which the ledger does not have. */
  lostOf?(ledger: string): Promise<void>;
  /**
   * Publishes a message that is about to be set aside.
   * @throws {FeedFault} when it was not taken
   */
  publishDeadLetter(message: FeedMessage, error: unknown): Promise<void>;
}

/** A message came without its value, and tells an event that the ledger does not have. Another try finds the same. */
class NotInLedger extends Error {
  override readonly name = 'NotInLedger';

  constructor({ id, position }: Place) {
    super(
      `the message has no value that was read, and the ledger has no event ${id.slice(0, 64)} at position ${position}`,
    );
  }
}

/** Whether an error is temporary. Then the message waits, and is not set aside. */
export function isTemporary(error: unknown): boolean {
  return error instanceof FeedFault || isOutage(error);
}

export class Batch {
  private readonly offsets: Offsets;

  constructor(
    private readonly parts: BatchParts,
    private readonly key: PartitionKey,
  ) {
    this.offsets = parts.offsets ?? feedOffsets;
  }

  /**
   * Returns when every message is handled or set aside.
   * @param follows the offset after which the messages come: there is nothing between it and the first of them. Undefined when
   * it is known that something was there and is gone.
   * @throws {OffsetGap} when the group has not handled everything up to there
   * @throws temporary errors, such as an outage of the database, and what prevents a message from being set aside
   */
  handle(messages: readonly FeedMessage[], follows: bigint | undefined): Promise<void> {
    return this.handleRead(messages.map(readMessage), follows);
  }

  /** One message that can't be handled makes the transaction of all fail. It is found by halves, so that the others go on soon. */
  private async handleRead(messages: readonly ReadMessage[], follows: bigint | undefined): Promise<void> {
    const [first] = messages;
    if (!first) return;
    try {
      return await this.together(messages, follows);
    } catch (error) {
      if (isTemporary(error) || error instanceof OffsetGap) throw error;
      if (messages.length === 1) return this.alone(first, error, follows);
    }
    const half = Math.ceil(messages.length / 2);
    await this.handleRead(messages.slice(0, half), follows);
    await this.handleRead(messages.slice(half), messages[half - 1]?.message.offset);
  }

  private async together(messages: readonly ReadMessage[], follows: bigint | undefined): Promise<void> {
    const { dataSource } = this.parts;
    const done: Done = { news: [], newerTypes: [], unrecorded: [], altered: [] };
    await dataSource.transaction(async (manager) => {
      const before = await this.locked(manager, follows);
      const rows = await this.recorded(manager, messages, before);
      const { types } = this.parts.handlers;
      // An event that nobody here handles is not claimed: a version that handles it finds it, and no row tells of it for long.
      const own = [...rows.values()].filter(({ type }) => types.has(type)).map(placeOfRow);
      const claimed = await claimUnhandled(manager, this.key.group, own);
      const events = new Map([...rows.values()].map((row) => [row.position, parseEventOrNewer(row.event)]));
      await this.all(manager, [...claimed], events);
      let handled = before;
      for (const each of messages) {
        if (isRepetition(each, handled)) handled = passedOver(each.message, handled);
        else if (!each.place) throw each.problem;
        else handled = await this.one(manager, each, { row: rows.get(each), events, claimed, handled, done });
      }
      if (handled.offset !== before.offset || handled.position !== before.position) {
        await this.offsets.move(manager, this.key, handled);
      }
    });
    await this.tell(done);
  }

  /** Runs the handlers that take the events together, for those at the places. */
  private async all(manager: EntityManager, places: readonly number[], events: ReadRows): Promise<void> {
    const news = places.flatMap((position) => {
      const event = events.get(position);
      return event && !('newerType' in event) ? [event] : [];
    });
    const last = places.at(-1);
    if (last === undefined) return;
    const { topic, partition } = this.key;
    await this.parts.handlers.handleTogether(news, new FeedContext(manager, topic, partition, last));
  }

  /** @returns how far the group is after the message */
  private async one(
    manager: EntityManager,
    { message, told, place }: NewsMessage,
    { row, events, claimed, handled, done }: OfOne,
  ): Promise<Handled> {
    const { topic, partition } = this.key;
    const read = row && events.get(row.position);
    if (!row || !read) {
      // A message that a relay has sent without its value is never of a stranger's ledger: somebody has to look into it.
      if (told === undefined) throw new NotInLedger(place);
      done.unrecorded.push({ message, place });
      return passedOver(message, handled);
    }
    if ('newerType' in read) done.newerTypes.push(read.newerType);
    // One event may have several messages in a batch.
    else if (claimed.delete(row.position)) {
      await this.parts.handlers.handle(read, new FeedContext(manager, topic, partition, row.position));
      done.news.push(read);
    }
    // A message that is read again was counted before.
    const tell = (what: Altered) => message.offset > handled.offset && done.altered.push({ message, row, what });
    if (told !== undefined && !isDeepStrictEqual(told, row.event)) tell('content');
    if (this.parts.belongs?.(row, this.key, handled) ?? true) return after({ message, place }, handled);
    // Where a stranger has put the news of an event, it may hide no event that comes there in its turn.
    tell('place');
    return passedOver(message, handled);
  }

  private async locked(manager: EntityManager, follows: bigint | undefined): Promise<Handled> {
    const handled = await this.offsets.lock(manager, this.key);
    if (follows !== undefined && handled.offset < follows) throw new OffsetGap(handled.offset, follows);
    return handled;
  }

  /**
   * The events of the messages that the offsets do not tell handled, as the ledger has them at their positions. One that it
   * does not have comes from another client of the broker, or from a ledger that was restored to an earlier point since. It is
   * skipped, and its position must not hide real events.
   */
  private async recorded(
    manager: EntityManager,
    messages: readonly ReadMessage[],
    handled?: Handled,
  ): Promise<Map<ReadMessage, TailRow>> {
    const news = messages.filter(isNews).filter((each) => !handled || !isRepetition(each, handled));
    if (news.length === 0) return new Map();
    const found = await this.parts.ledger.eventsAt(
      news.map(({ place }) => place.position),
      manager,
    );
    const rows = new Map(found.map((row) => [row.position, row]));
    return new Map(
      news.flatMap((each) => {
        const row = rows.get(each.place.position);
        return row && row.id === each.place.id ? [[each, row] as const] : [];
      }),
    );
  }

  private async tell({ news, newerTypes, unrecorded, altered }: Done): Promise<void> {
    const { log, metrics } = this.parts;
    const { topic, partition } = this.key;
    metrics.handled(topic, news);
    for (const _ of newerTypes) metrics.newer(topic);
    if (newerTypes.length > 0) {
      const types = [...new Set(newerTypes)];
      log.info({ topic, types }, 'events passed over: only a newer version knows their type or a value in them');
    }
    for (const { message, row, what } of altered) {
      metrics.altered(topic, what);
      log.warn(
        { topic, partition, offset: message.offset.toString(), position: row.position, eventId: row.id, what },
        alteredWords[what],
      );
    }
    const ledgers = new Set<string>();
    for (const { message, place } of unrecorded) {
      metrics.unrecorded(topic);
      log.warn(
        {
          topic,
          partition,
          offset: message.offset.toString(),
          position: place.position,
          eventId: place.id.slice(0, 64),
        },
        'message passed over: not in the ledger',
      );
      const ledger = message.headers[ledgerHeader];
      if (ledger !== undefined) ledgers.add(ledger);
    }
    for (const ledger of ledgers) await this.parts.lostOf?.(ledger);
  }

  private async alone(message: ReadMessage, first: unknown, follows: bigint | undefined): Promise<void> {
    let problem = first;
    // A message that can't be read can't be read the next time either.
    const mayHelp = message.place !== undefined && !(first instanceof NotInLedger);
    for (let attempt = 2; mayHelp && attempt <= triesAlone; attempt += 1) {
      await delay(firstPauseMs * 2 ** (attempt - 2));
      try {
        return await this.together([message], follows);
      } catch (error) {
        if (isTemporary(error) || error instanceof OffsetGap) throw error;
        problem = error;
      }
    }
    await this.setAside(message, problem, follows);
  }

  /**
   * The dead-letter topic comes first: a letter there twice is better than none. A message that tells no event of the ledger is
   * somebody else's, who may write any number of them: it is kept while there is room, and only counted beyond that.
   */
  private async setAside(read: ReadMessage, error: unknown, follows: bigint | undefined): Promise<void> {
    const { dataSource, deadLetters, publishDeadLetter } = this.parts;
    const isOurs = (await this.recorded(dataSource.manager, [read])).has(read);
    const isKept = isOurs || (await deadLetters.hasRoom());
    if (isKept) await publishDeadLetter(read.message, error);
    const isSetAside = await dataSource.transaction(async (manager) => {
      const handled = await this.locked(manager, follows);
      if (isRepetition(read, handled)) return false;
      const row = (await this.recorded(manager, [read], handled)).get(read);
      if (isKept) await deadLetters.setAside(manager, this.key, read.message, error, isOurs);
      const isInPlace = row && (this.parts.belongs?.(row, this.key, handled) ?? true);
      await this.offsets.move(manager, this.key, isInPlace ? after(read, handled) : passedOver(read.message, handled));
      return true;
    });
    if (isSetAside) this.parts.metrics.setAside(this.key.topic);
  }
}

/** The events of the ledger's rows, by position. */
type ReadRows = ReadonlyMap<number, ReturnType<typeof parseEventOrNewer>>;

interface OfOne {
  row: TailRow | undefined;
  events: ReadRows;
  claimed: Set<number>;
  handled: Handled;
  done: Done;
}

type NewsMessage = Extract<ReadMessage, { place: Place }>;

/** What a transaction has done, which is told when it has committed. */
interface Done {
  news: RecordedEvent[];
  newerTypes: string[];
  unrecorded: { message: FeedMessage; place: Place }[];
  altered: { message: FeedMessage; row: TailRow; what: Altered }[];
}

const alteredWords: Record<Altered, string> = {
  content:
    'a message tells another event than the ledger has: somebody else writes to the broker. The event of the ledger was handled',
  place:
    'a message lies where its event does not belong: somebody else writes to the broker. The event was handled, and hides no other',
};

function isNews(message: ReadMessage): message is NewsMessage {
  return message.place !== undefined;
}

function placeOfRow({ position }: TailRow): number {
  return position;
}

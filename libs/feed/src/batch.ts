/**
 * Handles messages with effect exactly once. What the handlers write and the group's offset change in one transaction. A
 * message that was handled before is skipped, and so is one that is not in the ledger. A message that can't be handled is
 * set aside. An outage is thrown, and the caller waits for its end. A gap before the messages is thrown, and the caller goes
 * back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { RecordedEvent } from '@strongroom/contracts';
import { isOutage, type Ledger } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import type { DeadLetters } from './dead-letters.js';
import { FeedContext } from './feed-context.js';
import { FeedFault } from './feed-fault.js';
import { type FeedMessage, type ReadMessage, readMessage } from './feed-message.js';
import type { FeedMetrics } from './feed-metrics.js';
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
import { placeOfCut } from './kafka/without-value.js';
import { OffsetGap } from './offset-gap.js';

/** How often a message is tried alone before it is set aside. */
const triesAlone = 3;
const firstPauseMs = 100;

export interface BatchParts {
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  handlers: Handlers;
  deadLetters: Pick<DeadLetters, 'setAside'>;
  metrics: Pick<FeedMetrics, 'handled' | 'setAside' | 'unrecorded' | 'newer'>;
  /** Default: the offsets of the group in its feed. */
  offsets?: Offsets;
  /** Told the name of the ledger that messages came from which the ledger does not have. */
  lostOf?(ledger: string): Promise<void>;
  /**
   * Publishes a message that is about to be set aside.
   * @throws {FeedFault} when it was not taken
   */
  publishDeadLetter(message: FeedMessage, error: unknown): Promise<void>;
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
  async handle(messages: readonly FeedMessage[], follows: bigint | undefined): Promise<void> {
    const whole = await this.withValues(messages);
    await this.handleRead(whole.map(readMessage), follows);
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

  /** Messages that came without their value, for their size, get it from the ledger. */
  private async withValues(messages: readonly FeedMessage[]): Promise<readonly FeedMessage[]> {
    const places = messages.map(({ headers }) => placeOfCut(headers));
    const positions = places.flatMap((place) => place?.position ?? []);
    if (positions.length === 0) return messages;
    const rows = new Map((await this.parts.ledger.eventsAt(positions)).map((row) => [row.position, row]));
    return messages.map((message, index) => {
      const place = places[index];
      const row = place && rows.get(place.position);
      return row && row.id === place.id ? { ...message, value: row.event } : message;
    });
  }

  private async together(messages: readonly ReadMessage[], follows: bigint | undefined): Promise<void> {
    const { dataSource, handlers, log, metrics } = this.parts;
    const { topic, partition } = this.key;
    const news: RecordedEvent[] = [];
    const newerTypes: string[] = [];
    let unrecorded = new Set<ReadMessage>();
    await dataSource.transaction(async (manager) => {
      const before = await this.locked(manager, follows);
      unrecorded = await this.unrecorded(manager, messages, before);
      const claimed = await claimUnhandled(
        manager,
        this.key.group,
        newsAmong(messages, before).flatMap((each) => (each.event && !unrecorded.has(each) ? each.event.position : [])),
      );
      let handled = before;
      for (const each of messages) {
        if (unrecorded.has(each)) {
          handled = passedOver(each.message, handled);
          continue;
        }
        if (!isRepetition(each, handled)) {
          if ('problem' in each) throw each.problem;
          if (!each.event) newerTypes.push(each.newerType);
          else if (claimed.has(each.event.position)) {
            await handlers.handle(each.event, new FeedContext(manager, topic, partition, each.event.position));
            news.push(each.event);
          }
        }
        handled = after(each, handled);
      }
      if (handled.offset !== before.offset || handled.position !== before.position) {
        await this.offsets.move(manager, this.key, handled);
      }
    });
    metrics.handled(topic, news);
    await this.tell(unrecorded);
    for (const _ of newerTypes) metrics.newer(topic);
    if (newerTypes.length > 0) {
      const types = [...new Set(newerTypes)];
      log.info({ topic, types }, 'events passed over: only a newer version knows their type or a value in them');
    }
  }

  private async locked(manager: EntityManager, follows: bigint | undefined): Promise<Handled> {
    const handled = await this.offsets.lock(manager, this.key);
    if (follows !== undefined && handled.offset < follows) throw new OffsetGap(handled.offset, follows);
    return handled;
  }

  /**
   * The events that the ledger does not hold at their position. They come from another client of the broker, or from a
   * ledger that was restored to an earlier point since. They are skipped, and their positions must not hide real events.
   */
  private async unrecorded(
    manager: EntityManager,
    messages: readonly ReadMessage[],
    handled: Handled,
  ): Promise<Set<ReadMessage>> {
    const news = newsAmong(messages, handled);
    if (news.length === 0) return new Set();
    const places = news.flatMap(({ event }) => event?.position ?? []);
    const recorded = await this.parts.ledger.idsAt(manager, places);
    return new Set(news.filter(({ event }) => event && recorded.get(event.position) !== event.id));
  }

  private async tell(unrecorded: ReadonlySet<ReadMessage>): Promise<void> {
    const { topic, partition } = this.key;
    const ledgers = new Set<string>();
    for (const { message, event } of unrecorded) {
      this.parts.metrics.unrecorded(topic);
      this.parts.log.warn(
        { topic, partition, offset: message.offset.toString(), position: event?.position, eventId: event?.id },
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
    for (let attempt = 2; message.event && attempt <= triesAlone; attempt += 1) {
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

  /** The dead-letter topic comes first: a letter there twice is better than none. */
  private async setAside(read: ReadMessage, error: unknown, follows: bigint | undefined): Promise<void> {
    await this.parts.publishDeadLetter(read.message, error);
    const isNews = await this.parts.dataSource.transaction(async (manager) => {
      const handled = await this.locked(manager, follows);
      if (isRepetition(read, handled)) return false;
      await this.parts.deadLetters.setAside(manager, this.key, read.message, error);
      await this.offsets.move(manager, this.key, after(read, handled));
      return true;
    });
    if (isNews) this.parts.metrics.setAside(this.key.topic);
  }
}

/** The messages whose events the offsets do not tell handled. */
function newsAmong(messages: readonly ReadMessage[], handled: Handled): ReadMessage[] {
  return messages.filter((each) => each.event && !isRepetition(each, handled));
}

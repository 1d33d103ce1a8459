/**
 * Handles messages with effect exactly once. What the handlers write and the group's offset change in one transaction. A
 * message that was handled before is skipped, and so is one that is not in the ledger. A message that can't be handled is
 * set aside. An outage is thrown, and the caller waits for its end.
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
import { recordHandled } from './handled-events.js';
import type { Handlers } from './handlers.js';

/** How often a message is tried alone before it is set aside. */
const triesAlone = 3;
const firstPauseMs = 100;

export interface BatchParts {
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  handlers: Handlers;
  deadLetters: Pick<DeadLetters, 'setAside'>;
  metrics: Pick<FeedMetrics, 'handled' | 'setAside' | 'unrecorded'>;
  /** Default: the offsets of the group in its feed. */
  offsets?: Offsets;
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
   * @throws temporary errors, such as an outage of the database, and what prevents a message from being set aside
   */
  async handle(messages: readonly FeedMessage[]): Promise<void> {
    const read = messages.map(readMessage);
    try {
      return await this.together(read);
    } catch (error) {
      if (isTemporary(error)) throw error;
    }
    // One message has made the transaction of all fail. Each is tried alone, to find that one.
    for (const each of read) await this.alone(each);
  }

  private async together(messages: readonly ReadMessage[]): Promise<void> {
    const { dataSource, handlers, log, metrics } = this.parts;
    const { topic, partition } = this.key;
    const news: RecordedEvent[] = [];
    let unrecorded = new Set<ReadMessage>();
    await dataSource.transaction(async (manager) => {
      const before = await this.offsets.lock(manager, this.key);
      unrecorded = await this.unrecorded(manager, messages, before);
      let handled = before;
      for (const each of messages) {
        if (unrecorded.has(each)) {
          handled = passedOver(each.message, handled);
          continue;
        }
        if (!isRepetition(each, handled)) {
          if ('problem' in each) throw each.problem;
          if (each.event) {
            await handlers.handle(each.event, new FeedContext(manager, topic, partition, each.event.position));
            news.push(each.event);
          } else
            log.debug(
              { topic, type: each.newerType },
              'event passed over: only a newer version knows its type or a value in it',
            );
        }
        handled = after(each, handled);
      }
      if (handled.offset !== before.offset || handled.position !== before.position) {
        await this.offsets.move(manager, this.key, handled);
      }
      const positions = news.map(({ position }) => position);
      await recordHandled(manager, this.key.group, positions);
    });
    metrics.handled(topic, news);
    this.tell(unrecorded);
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
    const news = messages.filter((each) => each.event && !isRepetition(each, handled));
    if (news.length === 0) return new Set();
    const places = news.flatMap(({ event }) => event?.position ?? []);
    const recorded = await this.parts.ledger.idsAt(manager, places);
    return new Set(news.filter(({ event }) => event && recorded.get(event.position) !== event.id));
  }

  private tell(unrecorded: ReadonlySet<ReadMessage>): void {
    const { topic, partition } = this.key;
    for (const { message, event } of unrecorded) {
      this.parts.metrics.unrecorded(topic);
      this.parts.log.warn(
        { topic, partition, offset: message.offset.toString(), position: event?.position, eventId: event?.id },
        'message passed over: not in the ledger',
      );
    }
  }

  private async alone(message: ReadMessage): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.together([message]);
      } catch (error) {
        if (isTemporary(error)) throw error;
        // A message that can't be read can't be read the next time either.
        if (!message.event || attempt >= triesAlone) return this.setAside(message, error);
      }
      await delay(firstPauseMs * 2 ** (attempt - 1));
    }
  }

  /** The dead-letter topic comes first: a letter there twice is better than none. */
  private async setAside(read: ReadMessage, error: unknown): Promise<void> {
    await this.parts.publishDeadLetter(read.message, error);
    const isNews = await this.parts.dataSource.transaction(async (manager) => {
      const handled = await this.offsets.lock(manager, this.key);
      if (isRepetition(read, handled)) return false;
      await this.parts.deadLetters.setAside(manager, this.key, read.message, error);
      await this.offsets.move(manager, this.key, after(read, handled));
      return true;
    });
    if (isNews) this.parts.metrics.setAside(this.key.topic);
  }
}

/**
 * Handles messages exactly once in effect: what the handlers write and the group's offset move in one transaction, and
 * what was handled before is skipped. A message that cannot be handled is set aside; an outage is the caller's to wait out.
 */
import { isOutage } from '@strongroom/ledger';
import type { DataSource, EntityManager } from 'typeorm';
import type { DeadLetters } from './dead-letters.js';
import { FeedContext } from './feed-context.js';
import { eventOf, type FeedMessage } from './feed-message.js';
import { after, isRepetition, lockHandled, moveHandled, type PartitionKey } from './feed-offsets.js';
import type { Handlers } from './handlers.js';

/** How often a message is tried alone before it is set aside. */
const triesAlone = 3;

export interface BatchParts {
  dataSource: DataSource;
  handlers: Handlers;
  deadLetters: DeadLetters;
  /** Tells others of a message that is set aside; a failure counts as an outage and is waited out. */
  publishDeadLetter(message: FeedMessage, error: unknown): Promise<void>;
}

export class Batch {
  constructor(
    private readonly parts: BatchParts,
    private readonly key: PartitionKey,
  ) {}

  /**
   * Returns when every message is handled or set aside, and how many were news.
   * @throws only what passes by itself, such as a database that is away
   */
  async handle(messages: readonly FeedMessage[]): Promise<number> {
    try {
      return await this.together(messages);
    } catch (error) {
      if (isOutage(error)) throw error;
    }
    // One of them spoils the transaction of all: alone each shows what it is.
    let news = 0;
    for (const message of messages) news += await this.alone(message);
    return news;
  }

  private together(messages: readonly FeedMessage[]): Promise<number> {
    return this.parts.dataSource.transaction(async (manager) => {
      const before = await lockHandled(manager, this.key);
      let handled = before;
      let news = 0;
      for (const message of messages) {
        if (!isRepetition(message, handled)) {
          await this.pass(manager, message);
          news += 1;
        }
        handled = after(message, handled);
      }
      if (handled.offset !== before.offset || handled.position !== before.position) {
        await moveHandled(manager, this.key, handled);
      }
      return news;
    });
  }

  private async alone(message: FeedMessage): Promise<number> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.together([message]);
      } catch (error) {
        if (isOutage(error)) throw error;
        if (attempt >= triesAlone) return this.setAside(message, error);
      }
    }
  }

  private async setAside(message: FeedMessage, error: unknown): Promise<number> {
    await this.parts.publishDeadLetter(message, error);
    return this.parts.dataSource.transaction(async (manager) => {
      const handled = await lockHandled(manager, this.key);
      if (isRepetition(message, handled)) return 0;
      await this.parts.deadLetters.setAside(manager, this.key, message, error);
      await moveHandled(manager, this.key, after(message, handled));
      return 1;
    });
  }

  private async pass(manager: EntityManager, message: FeedMessage): Promise<void> {
    const event = eventOf(message);
    const { topic, partition } = this.key;
    await this.parts.handlers.handle(event, new FeedContext(manager, topic, partition, event.position));
  }
}

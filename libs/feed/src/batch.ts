/**
 * Handles messages of one partition with effect exactly once, as `handleLots` does it. A message that can't be handled is set aside. An
 * outage is thrown, and the caller waits for its end. A gap before the messages is thrown, and the caller goes back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isOutage } from '@strongroom/ledger';
import type { EntityManager } from 'typeorm';
import type { DeadLetters } from './dead-letters.js';
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
import { gapBefore, handleLots, isNews, type LotParts, NotInLedger, recordedOf } from './lots.js';
import { OffsetGap } from './offset-gap.js';

/** How often a message is tried alone before it is set aside. */
const triesAlone = 3;
const firstPauseMs = 100;

export interface BatchParts extends Omit<LotParts, 'offsets' | 'metrics'> {
  deadLetters: Pick<DeadLetters, 'setAside' | 'hasRoom'>;
  metrics: LotParts['metrics'] & Pick<FeedMetrics, 'setAside'>;
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
  private readonly parts: BatchParts & LotParts;

  constructor(
    parts: BatchParts,
    private readonly key: PartitionKey,
  ) {
    this.parts = { ...parts, offsets: parts.offsets ?? feedOffsets };
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

  /** As `handle`, for messages that were read. One that can't be handled makes the transaction of all fail. It is found by halves, so that the others go on soon. */
  async handleRead(messages: readonly ReadMessage[], follows: bigint | undefined): Promise<void> {
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
    const [gap] = await handleLots(this.parts, [{ key: this.key, messages, follows }]);
    if (gap) throw gap;
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
    const { dataSource, ledger, deadLetters, publishDeadLetter } = this.parts;
    const news = [read].filter(isNews);
    const isOurs = (await recordedOf(ledger, dataSource.manager, news)).has(read);
    const isKept = isOurs || (await deadLetters.hasRoom());
    if (isKept) await publishDeadLetter(read.message, error);
    const isSetAside = await dataSource.transaction(async (manager) => {
      const handled = await this.locked(manager, follows);
      if (isRepetition(read, handled)) return false;
      const row = (await recordedOf(ledger, manager, news)).get(read);
      if (isKept) await deadLetters.setAside(manager, this.key, read.message, error, isOurs);
      const isInPlace = row && (this.parts.belongs?.(row, this.key, handled) ?? true);
      const moved = isInPlace ? after(read, handled) : passedOver(read.message, handled);
      await this.parts.offsets.move(manager, [{ key: this.key, handled: moved }]);
      return true;
    });
    if (isSetAside) this.parts.metrics.setAside(this.key.topic);
  }

  private async locked(manager: EntityManager, follows: bigint | undefined): Promise<Handled> {
    const [handled] = await this.parts.offsets.lock(manager, [this.key]);
    if (!handled) throw new Error(`the offset of ${this.key.topic}/${this.key.partition} was not locked`);
    const gap = gapBefore(follows, handled);
    if (gap) throw gap;
    return handled;
  }
}

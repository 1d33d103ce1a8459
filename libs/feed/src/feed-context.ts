/** What a handler gets besides the event. */
import type { EntityManager } from 'typeorm';

export class FeedContext {
  constructor(
    /** The transaction that moves the feed's offset. What is written through it is committed with the offset, or not at all. */
    readonly manager: EntityManager,
    readonly topic: string,
    readonly partition: number,
    /** The event's position in the ledger. */
    readonly position: number,
  ) {}
}

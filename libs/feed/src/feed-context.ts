/** What a handler is given beside the event. */
import type { EntityManager } from 'typeorm';

export class FeedContext {
  constructor(
    /** The transaction that moves the feed's offset: what is written through it happens with the offset, or not at all. */
    readonly manager: EntityManager,
    readonly topic: string,
    readonly partition: number,
    /** The event's place in the ledger. */
    readonly position: number,
  ) {}
}

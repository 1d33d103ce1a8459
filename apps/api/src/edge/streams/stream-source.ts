/** What a live stream tells of: items in the order of the ledger, each with an id after which a client can go on. */
import type { Right } from '@strongroom/contracts';
import type { LedgerPlace, TailOfAccounts } from '@strongroom/ledger';
import type { Words } from './words.js';

export interface StreamSource {
  /** Whoever has lost it, or reaches other instances than before, sees no more of the stream. */
  readonly right: Right;
  /** One for all streams of the same kind, so that each item is put into words once. */
  readonly words: Words;
  /** The id of the item after which a stream begins that is not told after which one. Undefined: it begins with what is new. */
  begins?(): Promise<string>;
  /** The place of the newest item, with its id; `0` is the id of the place before the first. */
  newest(): Promise<LedgerPlace & { id: string }>;
  /** The place of an item; undefined when the account has no such item. */
  placeOf(id: string): Promise<LedgerPlace | undefined>;
  /** The items beyond a place, for a stream that does not hear of them from the tail. */
  next(after: LedgerPlace, limit: number): Promise<TailOfAccounts>;
}

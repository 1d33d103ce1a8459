/** What a live stream tells of: items in one order, each with an id after which a client can go on. */
import type { Right } from '@strongroom/contracts';

export interface StreamItem<Place> {
  id: string;
  place: Place;
  type: string;
  data: object;
}

export interface StreamSource<Place> {
  /** Whoever has lost it, or reaches other instances than before, sees no more of the stream. */
  readonly right: Right;
  /** The place before the first item. */
  readonly first: Place;
  /** How often to look for what comes without an event, in milliseconds. Default: the stream is woken by each event of the account. */
  readonly pollMs?: number;
  /** The place of the newest item, with its id; `0` is the id of the first place. */
  newest(): Promise<{ place: Place; id: string }>;
  /** The place of an item; undefined when the account has no such item. */
  placeOf(id: string): Promise<Place | undefined>;
  /** The items beyond a place. @returns with the place to go on from, and whether there may be more at once */
  next(after: Place, limit: number): Promise<{ items: StreamItem<Place>[]; place: Place; isMore: boolean }>;
}

/** A message as a feed brings it, before anybody has judged its form. */
import { parseEvent, type RecordedEvent } from '@strongroom/contracts';

export interface FeedMessage {
  topic: string;
  partition: number;
  /** The place in the partition; rises. */
  offset: bigint;
  /** The event's place in the ledger, as far as the message tells it. */
  position: number | undefined;
  /** JSON text, or the value that it would be parsed to. */
  value: unknown;
  headers: Record<string, string>;
}

/** @throws when the value is no event of a known form */
export function eventOf({ value }: FeedMessage): RecordedEvent {
  return parseEvent(typeof value === 'string' ? JSON.parse(value) : value);
}

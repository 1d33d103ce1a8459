/** A message as a feed brings it, before and after its form is judged. What a message says of itself beside its event is not believed. */
import { parseEvent, parseEventOrNewer, type RecordedEvent } from '@strongroom/contracts';

export interface FeedMessage {
  topic: string;
  partition: number;
  /** The place in the partition; rises. */
  offset: bigint;
  /** The event's place in the ledger, as far as the message's headers tell it: for people who look into a dead letter. */
  position: number | undefined;
  /** JSON text, or the value that it would be parsed to. */
  value: unknown;
  headers: Record<string, string>;
}

/** A message that was read: its event, or why there is none in it. One that only a newer version knows is no problem. */
export type ReadMessage = { message: FeedMessage } & (
  | { event: RecordedEvent }
  | { event?: undefined; newerType: string }
  | { event?: undefined; problem: unknown }
);

/** @throws when the value is no event of a known form */
export function eventOf({ value }: Pick<FeedMessage, 'value'>): RecordedEvent {
  return parseEvent(jsonOf(value));
}

export function readMessage(message: FeedMessage): ReadMessage {
  try {
    const read = parseEventOrNewer(jsonOf(message.value));
    return 'newerType' in read ? { message, ...read } : { message, event: read };
  } catch (problem) {
    return { message, problem };
  }
}

function jsonOf(value: unknown): unknown {
  return typeof value === 'string' ? JSON.parse(value) : value;
}

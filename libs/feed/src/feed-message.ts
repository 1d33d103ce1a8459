/** A message as a feed brings it, before and after its form is judged. What a message says of itself beside its event is not believed. */
import { parseEvent, type RecordedEvent } from '@strongroom/contracts';

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

/** A message that was read: its event, or why there is none in it. */
export type ReadMessage = { message: FeedMessage } & (
  | { event: RecordedEvent; problem?: undefined }
  | { event?: undefined; problem: unknown }
);

/** @throws when the value is no event of a known form */
export function eventOf({ value }: Pick<FeedMessage, 'value'>): RecordedEvent {
  return parseEvent(typeof value === 'string' ? JSON.parse(value) : value);
}

export function readMessage(message: FeedMessage): ReadMessage {
  try {
    return { message, event: eventOf(message) };
  } catch (problem) {
    return { message, problem };
  }
}

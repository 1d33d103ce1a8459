/** A message as a feed brings it, before and after it is parsed. What the message tells beside its event is not trusted. */
import { parseEvent, parseEventOrNewer, type RecordedEvent } from '@strongroom/contracts';
import { unreadableHeader } from './kafka/unreadable-codecs.js';
import { placeOfCut } from './kafka/without-value.js';

export interface FeedMessage {
  topic: string;
  partition: number;
  /** The place in the partition, which rises. */
  offset: bigint;
  /** The event's position as the headers tell it, for people who look into a dead letter. */
  position: number | undefined;
  /** JSON as a text, or as the value that it is parsed to. */
  value: unknown;
  headers: Record<string, string>;
}

/** A message that was parsed: its event, or why it has none. An event that only a newer version knows is no problem. */
export type ReadMessage = { message: FeedMessage } & (
  | { event: RecordedEvent }
  | { event?: undefined; newerType: string }
  | { event?: undefined; problem: unknown }
);

/** Parses the event of a message. @throws when the value is no event of a known form */
export function eventOf({ value }: Pick<FeedMessage, 'value'>): RecordedEvent {
  return parseEvent(jsonOf(value));
}

export function readMessage(message: FeedMessage): ReadMessage {
  const unreadable = message.headers[unreadableHeader];
  if (unreadable !== undefined) return { message, problem: new Error(`the message can't be read: ${unreadable}`) };
  if (message.value === '') return { message, problem: withoutValue(message) };
  try {
    const read = parseEventOrNewer(jsonOf(message.value));
    return 'newerType' in read ? { message, ...read } : { message, event: read };
  } catch (problem) {
    return { message, problem };
  }
}

function withoutValue({ headers }: FeedMessage): Error {
  const place = placeOfCut(headers);
  const event = place && `, and the ledger has no event ${place.id} at position ${place.position}`;
  return new Error(`the message has no value${event ?? ''}`);
}

function jsonOf(value: unknown): unknown {
  return typeof value === 'string' ? JSON.parse(value) : value;
}

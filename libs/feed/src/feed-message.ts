/**
 * A message as a feed brings it, before and after it is read. A message is only the news of an event: it tells a place in the
 * ledger, and whatever else it holds is not trusted.
 */
import { z } from 'zod';
import { unreadableHeader } from './kafka/unreadable-record.js';
import { placeInHeaders, placeOfCut } from './kafka/without-value.js';

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

/** Where the ledger has the event, if it has it. */
export interface Place {
  position: number;
  id: string;
}

/** A message that was read: the place that it tells, or why it tells none. */
export type ReadMessage = { message: FeedMessage } & (
  | {
      place: Place;
      /** The event as the message tells it; undefined when it came without its value, or with one too large to be read. */
      told: unknown;
    }
  | { place?: undefined; problem: unknown }
);

/** In characters. A text may take fifty times as much when it is parsed, and the ledger has the event anyway. */
const mostParsed = 4_000_000;

/** A number that is no position may not reach the database. */
const place = z.object({ position: z.int().positive(), id: z.string() });

export function readMessage(message: FeedMessage): ReadMessage {
  const unreadable = message.headers[unreadableHeader];
  if (unreadable !== undefined) return { message, problem: new Error(`the message can't be read: ${unreadable}`) };
  if (message.value === '') {
    const cut = placeOfCut(message.headers);
    if (cut) return { message, place: cut, told: undefined };
    return { message, problem: new Error('the message has no value') };
  }
  if (typeof message.value === 'string' && message.value.length > mostParsed) {
    const named = placeInHeaders(message.headers);
    if (named) return { message, place: named, told: undefined };
    return { message, problem: new Error('the message is too large to be read, and its headers tell no event') };
  }
  try {
    const told: unknown = typeof message.value === 'string' ? JSON.parse(message.value) : message.value;
    return { message, place: place.parse(told), told };
  } catch (problem) {
    return { message, problem };
  }
}

/**
 * Events as they are decided and recorded: every one has the same envelope around the data of its type. What is recorded stays for ever, so
 * its form is checked before.
 */
import { z } from 'zod';
import { eventContext } from './event-context.js';
import { eventSchemas } from './events.js';
import { instant, uuid } from './primitives.js';
import { quickMatch } from './quick-match.js';

export type EventType = keyof typeof eventSchemas;
export const eventTypes = Object.keys(eventSchemas) as EventType[];
export const eventType = z.enum(eventTypes as [EventType, ...EventType[]]);

export type EventData<T extends EventType> = z.infer<(typeof eventSchemas)[T]>;

/** An event as it is decided, which has no place in the ledger yet. */
export type NewEvent<T extends EventType = EventType> = { [K in T]: { type: K; data: EventData<K> } }[T];

/** By type of event, what follows from an event's data. Nothing follows from a type that is not named. */
export type PerEvent<Result> = { readonly [T in EventType]?: (data: EventData<T>) => Result };

/** What follows from an event. */
export function perEvent<Result, T extends EventType>(
  rules: PerEvent<Result>,
  { type, data }: { type: T; data: EventData<T> },
): Result | undefined {
  return rules[type]?.(data);
}

export const envelope = z.strictObject({
  id: uuid,
  /** The place in the ledger, which rises in the order of commits, with gaps. */
  position: z.int().positive(),
  stream: z.string().min(1),
  /** The place in the stream, from 1, without gaps. */
  version: z.int().positive(),
  type: eventType,
  accountId: z.string().min(1),
  /**
   * The key of the order that the feed keeps: events of one instance arrive in ledger order. Events of an aggregate that
   * belongs to no instance have the id of the aggregate here.
   */
  instanceId: uuid,
  at: instant,
  data: z.unknown(),
  context: eventContext,
});

/** What every recorded event holds besides its data. */
export type Envelope = Omit<z.infer<typeof envelope>, 'type' | 'data'>;

/** An event in the ledger. */
export type RecordedEvent<T extends EventType = EventType> = {
  [K in T]: Envelope & { type: K; data: EventData<K> };
}[T];

/**
 * Checks an event that is to be recorded. It stays for ever, so this check tolerates nothing.
 * @throws {z.ZodError} when it is not of a known form
 */
export function checkNewEvent({ type, data }: NewEvent): void {
  const schema = eventSchemas[type];
  if (!quickMatch(schema, data)) schema.parse(data);
}

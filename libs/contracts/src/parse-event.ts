/**
 * Parses events from where they come in: a row of the ledger, or a message of the broker. A newer version may have written
 * them, with fields, values or types that this one does not know.
 */
import { z } from 'zod';
import { eventSchemas } from './events.js';
import { quickMatch } from './quick-match.js';
import { type EventType, envelope, eventType, type RecordedEvent } from './recorded-events.js';
import { aggregateOf, aggregateOfEvent } from './streams.js';

const newerEnvelope = envelope.extend({ type: z.string().min(1) });

/**
 * Parses an event from a row of the ledger or a message of the broker. Fields that this version does not know are left out,
 * because a newer version has written them.
 * @throws {z.ZodError} when the envelope or the data is not of a known form, or the stream has no events of the type
 */
export function parseEvent(input: unknown): RecordedEvent {
  const { type, data, ...rest } = tolerant(envelope, input);
  // Whoever may append to streams of one kind must not change what others are.
  if (aggregateOf(rest.stream) !== aggregateOfEvent[type]) {
    throw new z.ZodError([
      { code: 'custom', path: ['type'], message: `no event of the stream ${rest.stream}`, input: type },
    ]);
  }
  return { ...rest, type, data: tolerant(eventSchemas[type], data) } as RecordedEvent;
}

/**
 * As `parseEvent`, but an event that a newer version has added is a value, for readers who may pass over it. A known type
 * with a value that this version does not know counts as a newer type: `InstanceRegistered datastore.type=mariadb`.
 * @throws {z.ZodError} when the envelope or the data is not of a known form
 */
export function parseEventOrNewer(input: unknown): RecordedEvent | { newerType: string } {
  try {
    return parseEvent(input);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    // Nearly every event is known, so only one that is not is parsed once more.
    const { type, data } = tolerant(newerEnvelope, input);
    const known = eventType.safeParse(type).data;
    if (known === undefined) return { newerType: type };
    const value = newerValue(known, data);
    if (value === undefined) throw error;
    return { newerType: `${type} ${value}` };
  }
}

/** Whether this version knows what another one has passed over. @param newerType as `parseEventOrNewer` tells it */
export function isKnownType(newerType: string): boolean {
  const [, name = newerType, path, value] = /^(\w+) ([\w.]+)=(.*)$/s.exec(newerType) ?? [];
  const type = eventType.safeParse(name).data;
  if (type === undefined || path === undefined) return type !== undefined;
  const data = path.split('.').reduceRight<unknown>((inner, step) => ({ [step]: inner }), value);
  const issues = eventSchemas[type].safeParse(data).error?.issues ?? [];
  return !issues.some((issue) => `${path}.`.startsWith(`${issue.path.join('.')}.`));
}

/** The first value that an enum does not have, as `path=value`; undefined when something else is wrong with the data. */
function newerValue(type: EventType, data: unknown): string | undefined {
  const issues = eventSchemas[type].safeParse(data).error?.issues ?? [];
  const unknown = issues.filter(({ code }) => code !== 'unrecognized_keys');
  const values = unknown.map(({ code, path }) => ({ code, path, value: at(data, path) }));
  if (!values.every(({ code, value }) => code === 'invalid_value' && typeof value === 'string')) return undefined;
  const [first] = values;
  return first && `${first.path.join('.')}=${String(first.value)}`;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, step) : undefined),
    value,
  );
}

/** Parses by a strict schema what a version that knows more fields may have written. */
function tolerant<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  if (quickMatch(schema, input)) return input;
  const { data, error } = schema.safeParse(input);
  if (!error) return data;
  const known = error.issues.reduce(
    (left, issue) => (issue.code === 'unrecognized_keys' ? without(left, issue.path, issue.keys) : left),
    input,
  );
  return schema.parse(known);
}

function without(value: unknown, [step, ...path]: readonly PropertyKey[], keys: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((each, index) => (index === step ? without(each, path, keys) : each));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  if (step === undefined) return Object.fromEntries(entries.filter(([name]) => !keys.includes(name)));
  return Object.fromEntries(entries.map(([name, each]) => [name, name === step ? without(each, path, keys) : each]));
}

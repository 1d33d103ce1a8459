/**
 * The lock of the events' forms. A released event lies in ledgers for ever, so its form may not change: a new form is a
 * new event. The lock holds the JSON Schema of every event and of the envelope.
 */
import { envelope, eventSchemas } from '@strongroom/contracts';
import { z } from 'zod';

const form = z.json();
export type Form = z.infer<typeof form>;

export const eventForms = z.strictObject({ envelope: form, events: z.record(z.string(), form) });
export type EventForms = z.infer<typeof eventForms>;

export function formOf(schema: z.ZodType): Form {
  return form.parse(JSON.parse(JSON.stringify(z.toJSONSchema(schema))));
}

/** The forms of events in the contracts of today. */
export function currentForms(): EventForms {
  const events = Object.entries(eventSchemas).map(([type, schema]) => [type, formOf(schema)] as const);
  // The envelope lists all event types. The list is left out, because a new type changes no form.
  return { envelope: formOf(envelope.omit({ type: true })), events: Object.fromEntries(events) };
}

export interface Comparison {
  /** One sentence for each locked form that was changed or removed, with its name and what to do. */
  breaches: string[];
  /** The new events and the new values of enums, which are not locked yet. */
  additions: string[];
}

export function compare(locked: EventForms, current: EventForms): Comparison {
  const breaches: string[] = [];
  const additions: string[] = [];
  const envelope = differences(locked.envelope, withoutNewOptional(locked.envelope, current.envelope));
  if (envelope.broken.length > 0) {
    breaches.push(`The envelope of all events has changed at ${envelope.broken.join(', ')}. Put it back.`);
  }
  additions.push(...newOptionalOf(locked.envelope, current.envelope).map((name) => `the envelope's ${name}`));
  for (const [type, was] of Object.entries(locked.events)) {
    const is = current.events[type];
    if (is === undefined) {
      breaches.push(`${type} was released and is gone: ledgers hold it, so it must stay readable. Put it back.`);
      continue;
    }
    const { broken, widened } = differences(was, is);
    if (broken.length > 0) {
      const at = broken.join(', ');
      breaches.push(
        `${type} was released and has changed at ${at}. Put it back, and record the new form as a new event.`,
      );
    }
    additions.push(...widened.map((at) => `${type} ${at}`));
  }
  additions.push(...Object.keys(current.events).filter((type) => !(type in locked.events)));
  return { breaches, additions };
}

/**
 * The names of fields that are new in the envelope and may be left out, such as `context.actorDetails`. Every reader leaves out fields
 * of the envelope that it does not know, and no event lacks them: so they break nothing.
 */
function newOptionalOf(was: Form | undefined, is: Form | undefined, at = ''): string[] {
  if (!isBranch(was) || !isBranch(is)) return [];
  const [before, now] = [was.properties, is.properties];
  if (!isBranch(before) || !isBranch(now)) return [];
  const required = Array.isArray(is.required) ? is.required : [];
  return Object.keys(now).flatMap((name) =>
    name in before
      ? newOptionalOf(before[name], now[name], `${at}${name}.`)
      : required.includes(name)
        ? []
        : [`${at}${name}`],
  );
}

function withoutNewOptional(was: Form | undefined, is: Form | undefined): Form | undefined {
  if (!isBranch(was) || !isBranch(is)) return is;
  const [before, now] = [was.properties, is.properties];
  if (!isBranch(before) || !isBranch(now)) return is;
  const added = newOptionalOf({ properties: before }, { ...is, properties: now }).filter((name) => !name.includes('.'));
  const kept = Object.entries(now).filter(([name]) => !added.includes(name));
  const properties = kept.flatMap(([name, form]) => {
    const left = withoutNewOptional(before[name], form);
    return left === undefined ? [] : [[name, left] as const];
  });
  return { ...is, properties: Object.fromEntries(properties) };
}

interface Differences {
  broken: string[];
  widened: string[];
}

/**
 * Where two forms differ, such as `properties.sizeBytes.minimum`. An enum may get more values, because it still reads
 * what it read before. An older version passes over an event with a value that it does not know.
 */
function differences(was: Form | undefined, is: Form | undefined, at = ''): Differences {
  if (isBranch(was) && isBranch(is)) {
    const keys = [...new Set([...Object.keys(was), ...Object.keys(is)])];
    const found = keys.map((key) => differences(was[key], is[key], at ? `${at}.${key}` : key));
    return { broken: found.flatMap(({ broken }) => broken), widened: found.flatMap(({ widened }) => widened) };
  }
  if (JSON.stringify(was) === JSON.stringify(is)) return { broken: [], widened: [] };
  const wider =
    at.endsWith('.enum') && Array.isArray(was) && Array.isArray(is) && was.every((value) => is.includes(value));
  return wider ? { broken: [], widened: [at] } : { broken: [at || 'the whole'], widened: [] };
}

function isBranch(value: Form | undefined): value is { [key: string]: Form } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

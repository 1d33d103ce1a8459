/**
 * The file of schedules that `apply` and `diff` read and `schedule export` writes: YAML 1.2 with one entry for each instance. Whatever is wrong
 * in it is told with its line and column, and all of it at once.
 */
import { messageOf, regionName, uuid } from '@strongroom/contracts';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, stringify } from 'yaml';
import { z } from 'zod';
import { UsageFault } from '../command-fault.js';
import { dayOf, days, timeOf } from './timing-options.js';

/** What a file says of the schedule of an instance. What it leaves out stays as it is. */
export interface ScheduleEntry {
  /** The name or the id of the instance. */
  instance: string;
  /** Such as 14:30, in UTC. */
  at: string;
  /** A name of `days`. */
  full_on: string;
  keep_fulls?: number | undefined;
  copy_to?: string[] | undefined;
  paused?: boolean | undefined;
  /** Why it is paused. */
  pause_reason?: string | undefined;
}

/** An entry with its place in the file, as messages name it: `schedules.yaml:4:15`. */
export type PlacedEntry = ScheduleEntry & { place: string };

const time = must('be a time of the day in UTC, such as 14:30', (value) =>
  typeof value === 'string' && timeOf(value) ? value.padStart(5, '0') : undefined,
);
const day = must('be a day, such as sunday, or every-day', (value) =>
  typeof value === 'string' ? days[dayOf(value) ?? -1] : undefined,
);
const region = must('be the name of a region, such as IAD', (value) =>
  typeof value === 'string' ? regionName.safeParse(value.toUpperCase()).data : undefined,
);
const mostFulls = 10_000;
const longestReason = 500;

const bareEntry = z.strictObject(
  {
    instance: must('be the name or the id of an instance, as text: write it in quotes', (value) =>
      typeof value === 'string' && value !== '' ? (uuid.safeParse(value.toLowerCase()).data ?? value) : undefined,
    ),
    at: time,
    full_on: day,
    keep_fulls: must(`be an integer from 1 to ${mostFulls}`, (value) =>
      Number.isInteger(value) && Number(value) >= 1 && Number(value) <= mostFulls ? Number(value) : undefined,
    ).optional(),
    copy_to: z
      .array(region, { error: 'must be a list of regions, such as [IAD, ORD]' })
      .refine((names) => new Set(names).size === names.length, { error: 'must not name a region twice' })
      .optional(),
    paused: z.boolean({ error: 'must be true or false' }).optional(),
    pause_reason: z
      .string({ error: 'must be text' })
      .min(1, { error: 'must be text' })
      .max(longestReason, { error: `must have at most ${longestReason} characters` })
      .optional(),
  },
  { error: 'must have the fields of a schedule' },
);
const entry = bareEntry.refine(({ paused, pause_reason }) => paused || pause_reason === undefined, {
  path: ['pause_reason'],
  error: 'is for a schedule that is paused: write paused: true too',
});

const content = z.strictObject(
  {
    schedules: z.array(entry, {
      error: ({ input }) => (input === undefined ? 'is missing' : 'must be a list of schedules; [] is an empty one'),
    }),
  },
  { error: 'must be a map with the field schedules' },
);
const fieldsOfEntry = Object.keys(bareEntry.shape).join(', ');

/** @param name the file in messages @throws {UsageFault} naming everything that is wrong, each with its line and column */
export function readSchedules(text: string, name: string): PlacedEntry[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const placeOf = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) throw wrong(faults.map(({ pos, message }) => `${placeOf(pos[0])}: ${firstLine(message)}`));
  const { data, error } = content.safeParse(plainOf(document, name));
  if (error)
    throw wrong(
      error.issues.flatMap((issue) =>
        issue.code === 'unrecognized_keys'
          ? issue.keys.map((key) => `${placeOf(offsetOfKey(document, issue.path, key))}: ${notKnown(key, issue.path)}`)
          : `${placeOf(offsetOf(document, issue.path))}: ${[...issue.path.filter(isText).slice(-1), issue.message].join(' ')}`,
      ),
    );
  return data.schedules.map((each, index) => ({
    ...each,
    place: placeOf(offsetOf(document, ['schedules', index, 'instance'])),
  }));
}

/** The text of a file with these entries. */
export function writtenSchedules(entries: readonly ScheduleEntry[]): string {
  const head =
    '# The times are in UTC. What changes by this file: strongroom diff -f FILE; have it so: strongroom apply -f FILE\n';
  return `${head}${stringify({ schedules: entries }, { lineWidth: 0 })}`;
}

/** What is wrong in a file. @throws {UsageFault} with at most as many lines as a terminal shows */
export function wrong(problems: readonly string[]): UsageFault {
  const most = 20;
  const more = problems.length > most ? [`There are ${problems.length - most} more.`] : [];
  const said = ["The file can't be used, so nothing was changed.", ...problems.slice(0, most), ...more];
  return new UsageFault(said.join('\n  '), 'See a file in the right form: strongroom schedule export');
}

function plainOf(document: Document, name: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw new UsageFault(
      `${name} can't be read: ${messageOf(cause)}`,
      'See a file in the right form: strongroom schedule export',
      { cause },
    );
  }
}

/** A value that `read` makes a right one of, or refuses with undefined. */
function must<Value>(be: string, read: (value: unknown) => Value | undefined) {
  return z.unknown().transform((value, context): Value => {
    const right = read(value);
    if (right !== undefined) return right;
    context.issues.push({ code: 'custom', message: value === undefined ? 'is missing' : `must ${be}`, input: value });
    return z.NEVER;
  });
}

function notKnown(key: string, path: readonly PropertyKey[]): string {
  return `${key} is no field here. There ${path.length === 0 ? 'is schedules' : `are ${fieldsOfEntry}`}.`;
}

/** Where the value at a path begins, or what is around it when the value is missing. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function offsetOfKey(document: Document, path: readonly PropertyKey[], key: string): number {
  const around = path.length === 0 ? document.contents : document.getIn(path, true);
  const pair = isMap(around)
    ? around.items.find((each) => isScalar(each.key) && String(each.key.value) === key)
    : undefined;
  return isScalar(pair?.key) && pair.key.range ? pair.key.range[0] : offsetOf(document, path);
}

function isText(step: PropertyKey): step is string {
  return typeof step === 'string';
}

/** The library goes on with an excerpt, which would be the stranger's text in a message. */
function firstLine(message: string): string {
  return message.split('\n', 1)[0]?.replace(/ at line \d+, column \d+:?$/, '.') ?? message;
}

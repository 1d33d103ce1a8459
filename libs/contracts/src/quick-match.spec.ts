import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { eventSchemas } from './events.js';
import { quickMatch } from './quick-match.js';
import { type EventType, envelope, eventTypes } from './recorded-events.js';

const id = '01a21329-c1dc-77af-a7f4-d076faf211d0';
const texts = [
  id,
  'DFW',
  '2026-11-25T14:30:00.000Z',
  'a'.repeat(64),
  '12:30',
  'backups/1',
  'r',
  '',
  'x'.repeat(400),
  '18',
];
const others = [
  0,
  1,
  7,
  -1,
  1.5,
  2 ** 53,
  Number.NaN,
  null,
  undefined,
  true,
  [],
  ['DFW'],
  ['DFW', 'DFW'],
  {},
  { a: 'b' },
];

/** Some value of the form of a schema. */
function sampleOf(schema: z.core.$ZodType): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'object')
    return Object.fromEntries(Object.entries(def.shape).map(([name, each]) => [name, sampleOf(each)]));
  if (def.type === 'enum') return Object.values(def.entries)[0];
  if (def.type === 'array') return [sampleOf(def.element)];
  if (def.type === 'optional') return sampleOf(def.innerType);
  if (def.type === 'nullable') return sampleOf(def.innerType);
  return [...texts, ...others].find((each) => z.safeParse(schema, each).success && each !== undefined);
}

/** The value with one part of it replaced, taken away or added, each in turn. */
function* bentOf(value: unknown): Generator<unknown> {
  for (const other of [...texts, ...others]) yield other;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  yield { ...value, mood: 'fine' };
  for (const [name, each] of Object.entries(value)) {
    yield Object.fromEntries(Object.entries(value).filter(([other]) => other !== name));
    for (const bent of bentOf(each)) yield { ...value, [name]: bent };
  }
}

describe('the quick match of a schema', () => {
  it.each<EventType | 'envelope'>(['envelope', ...eventTypes])('tells of %s what the schema tells', (name) => {
    const schema = name === 'envelope' ? envelope : eventSchemas[name];
    const sample = sampleOf(schema);
    expect(z.safeParse(schema, sample)).toMatchObject({ success: true });
    expect(quickMatch(schema, sample)).toBe(true);
    for (const bent of bentOf(sample)) {
      const { success, data } = z.safeParse<z.ZodType>(schema, bent);
      const isQuick = quickMatch(schema, bent);
      expect({ bent, isQuick }).toEqual({ bent, isQuick: success });
      if (isQuick) expect(data).toEqual(bent);
    }
  });

  it('does not vouch for a value that JSON could not tell', () => {
    const schema = z.strictObject({ name: z.string().optional() });
    expect(quickMatch(schema, Object.create({ name: 1 }))).toBe(false);
    expect(quickMatch(schema, JSON.parse('{"__proto__": {"name": 1}}'))).toBe(false);
    expect(quickMatch(schema, {})).toBe(true);
  });

  it.each([
    ['changes values', z.string().trim()],
    ['has a default', z.strictObject({ name: z.string().default('nameless') })],
    ['takes other fields', z.object({ name: z.string() })],
    ['coerces', z.coerce.number()],
  ])('leaves a schema that %s to itself', (_, schema) => {
    for (const value of ['x', ' x ', 1, {}, { name: 'x' }, { name: 'x', mood: 'fine' }]) {
      const { success, data } = z.safeParse<z.ZodType>(schema, value);
      if (quickMatch(schema, value)) expect({ success, data }).toEqual({ success: true, data: value });
    }
  });
});

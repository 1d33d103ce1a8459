/** Reads what a newer version has written: the fields that this version does not know are left out. */
import type { z } from 'zod';

/**
 * Parses by a strict schema what a version that knows more fields may have written.
 * @throws {z.ZodError} when something else is wrong with it
 */
export function tolerant<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
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

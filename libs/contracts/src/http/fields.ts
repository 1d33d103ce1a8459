/** The fields that several schemas have. In a request, null counts as absent, and a message says what would be right. */
import { z } from 'zod';
import { uuid } from '../primitives.js';

/** A field that may be left out. Null means the same. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** An integer. A string, a fraction or a boolean is refused. */
export function integer(least: number, most: number) {
  const error = `must be an integer from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

/** What a database or a terminal does not take: NUL and unpaired surrogates; in a `line`, every control character. */
const refusedCharacters = { text: /\0|\p{Cs}/u, line: /\p{Cc}|\p{Cs}/u };

/** @param kind a `line` has no line breaks and no other control characters; a `text` may have them */
export function text(least: number, most: number, kind: 'line' | 'text' = 'line') {
  const size = least === 0 ? `at most ${most}` : `${least} to ${most}`;
  const error = `must be a string of ${size} characters`;
  return z
    .string({ error })
    .min(least, { error })
    .max(most, { error })
    .refine((value) => !refusedCharacters[kind].test(value), {
      error: kind === 'line' ? 'must not have control characters' : 'must not have NUL or broken characters',
    });
}

/** An id in a body. A UUID is taken in any case, and is parsed to lower case. */
export const idInBody = z
  .string({ error: 'must be a UUID, as a string' })
  .transform((id) => id.toLowerCase())
  .pipe(uuid);

/** Names of regions, each once. Whether the deployment has these regions is checked elsewhere. */
export const regions = z
  .array(z.string({ error: 'must be the name of a region, as a string' }), {
    error: 'must be an array of names of regions',
  })
  .refine((names) => new Set(names).size === names.length, { error: 'must not name a region twice' });

/** A time of a schedule or an instance, in UTC, to the second and without a zone, as known clients read it: `2020-11-14T07:28:17`. */
export const zonelessTime = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);

/** Every other time: RFC 3339 in UTC. */
export const utcTime = z.iso.datetime();

/** Why something failed: `code` is for programs, `message` is for people. */
export const fault = z.object({ code: z.string(), message: z.string() });

export const link = z.object({ rel: z.string(), href: z.string() });

/** The link to the next page; empty when there is no next page. */
export const links = z.array(link);

const absentMeans = z.registry<{ value: unknown }>();

/**
 * A field that came to an answer later, and is neither null nor a list there. A client of an older service goes on with `value`. What can
 * be null, or is a list, needs no such mark: absent, it is null or empty.
 */
export function addedLater<T extends z.ZodType>(schema: T, value: z.output<T>): T {
  absentMeans.add(schema, { value });
  return schema;
}

/** What a client takes for a field that an answer does not have; undefined for one that every service answers. */
export function valueWhenAbsent(schema: z.ZodType): unknown {
  if (schema.safeParse(undefined).success) return undefined;
  if (schema.safeParse(null).success) return null;
  if (schema.safeParse([]).success) return [];
  return absentMeans.get(schema)?.value;
}

/** Whether a body that is not parsed yet has a field. */
export function hasField<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  return typeof value === 'object' && value !== null && name in value;
}

/** How fields of requests are read: what is null counts as absent, and a message says what would be right. */
import { z } from 'zod';
import { uuid } from '../primitives.js';

/** A field that may be left out, or be null, which is the same. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** An integer and nothing that looks like one: no string, no fraction, no boolean. */
export function integer(least: number, most: number) {
  const error = `must be an integer from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

/** What neither a database nor a terminal takes: NUL and halves of characters; in a `line` every control character. */
const untellable = { text: /\0|\p{Cs}/u, line: /\p{Cc}|\p{Cs}/u };

/** @param kind a `line` has no line breaks or other control characters in it; a `text` may */
export function text(least: number, most: number, kind: 'line' | 'text' = 'line') {
  const size = least === 0 ? `at most ${most}` : `${least} to ${most}`;
  const error = `must be a string of ${size} characters`;
  return z
    .string({ error })
    .min(least, { error })
    .max(most, { error })
    .refine((value) => !untellable[kind].test(value), {
      error: kind === 'line' ? 'must not have control characters' : 'must not have NUL or broken characters',
    });
}

/** An id in a body: UUIDs are taken in any case, and are lower-case from then on. */
export const idInBody = z
  .string({ error: 'must be a UUID, as a string' })
  .transform((id) => id.toLowerCase())
  .pipe(uuid);

/** Names of regions, each once. Which there are is the deployment's to say, and so is whether these are among them. */
export const regions = z
  .array(z.string({ error: 'must be the name of a region, as a string' }), {
    error: 'must be an array of names of regions',
  })
  .refine((names) => new Set(names).size === names.length, { error: 'must not name a region twice' });

/** Times of schedules: `2020-11-14T07:28:17`, UTC without saying so. */
export const scheduleTime = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);

/** Times of everything else: RFC 3339 in UTC. */
export const utcTime = z.iso.datetime();

export const link = z.object({ rel: z.string(), href: z.string() });

/** The rest of a list that was cut; none when it is whole. */
export const links = z.array(link);

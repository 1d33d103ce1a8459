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

/** An id in a body: UUIDs are taken in any case, and are lower-case from then on. */
export const idInBody = z
  .string({ error: 'must be a UUID, as a string' })
  .transform((text) => text.toLowerCase())
  .pipe(uuid);

/** Times of schedules: `2020-11-14T07:28:17`, UTC without saying so. */
export const scheduleTime = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);

/** Times of everything else: RFC 3339 in UTC. */
export const utcTime = z.iso.datetime();

export const link = z.object({ rel: z.string(), href: z.string() });

/** The rest of a list that was cut; none when it is whole. */
export const links = z.array(link);

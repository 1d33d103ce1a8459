/** Parses what a client sent with the contract's schema; what does not fit is a 400 that names the field. */
import { uuid } from '@strongroom/contracts';
import type { z } from 'zod';
import { Fault } from './fault.js';

/** @throws {Fault} badRequest naming every field that is wrong */
export function parseBody<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Fault('badRequest', 'The body must be a JSON object.');
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => sentence(issue));
  throw new Fault('badRequest', `${[...new Set(problems)].slice(0, 10).join('; ')}.`);
}

function sentence(issue: z.core.$ZodIssue): string {
  const field = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const under = field ? ` of ${field}` : '';
    return `${issue.keys.map((key) => `"${key}"`).join(', ')}${under}: no such field`;
  }
  if (issue.code === 'invalid_type' && issue.input === undefined && /received undefined/.test(issue.message))
    return `${field}: is required`;
  return `${field || 'body'}: ${issue.message}`;
}

/** An id in a path names something or nothing: one that is malformed names nothing. */
export function idInPath(what: string, id: string): string {
  const parsed = uuid.safeParse(id);
  if (!parsed.success)
    throw new Fault('itemNotFound', `${what} ${JSON.stringify(id.slice(0, 64))} was not found in this account.`);
  return parsed.data;
}

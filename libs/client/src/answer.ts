/**
 * An answer of the service, read to its end and held against a schema. A service that is newer or older than the client is understood.
 */
import { valueWhenAbsent } from '@strongroom/contracts';
import { z } from 'zod';

export interface Answer<Body = unknown> {
  status: number;
  headers: Headers;
  /** Parsed when it is JSON, else its text; undefined when it is empty. */
  body: Body;
}

export async function read(response: Response): Promise<Answer> {
  const { status, headers } = response;
  const text = await response.text();
  const isJson = headers.get('content-type')?.startsWith('application/json') ?? false;
  return { status, headers, body: text === '' ? undefined : isJson ? jsonOf(text) : text };
}

/** Text that only says that it is JSON stays text: the schema of the operation refuses it with the rest of the answer. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Parses by a schema what the service has sent. Fields that the schema does not know are left out. A value that one of its
 * lists does not have, such as a new status or type of event, is one of a newer service: then everything stays as it came. A field that
 * an older service does not have yet is null, or an empty list, or what the contract says.
 * @throws {z.ZodError} when anything else is wrong
 */
export function parseAnswer(schema: z.ZodType, input: unknown): unknown {
  const whole = schema.safeParse(input, { reportInput: true });
  if (whole.success) return whole.data;
  const filled = withAdditions(schema, input);
  const { data, error } = schema.safeParse(filled, { reportInput: true });
  if (!error) return data;
  if (error.issues.every((issue) => issue.code === 'invalid_value' && typeof issue.input === 'string')) return filled;
  throw error;
}

/** The same value, with what was added to its form after the service was made. */
function withAdditions(schema: unknown, value: unknown): unknown {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) return withAdditions(schema.unwrap(), value);
  if (schema instanceof z.ZodArray && Array.isArray(value)) {
    return value.map((each) => withAdditions(schema.element, each));
  }
  if (!(schema instanceof z.ZodObject) || typeof value !== 'object' || value === null || Array.isArray(value))
    return value;
  const fields = new Map<string, unknown>(Object.entries(value));
  for (const [name, field] of Object.entries(schema.shape)) {
    if (!(field instanceof z.ZodType)) continue;
    const known = fields.get(name);
    const filled = known === undefined ? valueWhenAbsent(field) : withAdditions(field, known);
    if (filled !== undefined) fields.set(name, filled);
  }
  return Object.fromEntries(fields);
}

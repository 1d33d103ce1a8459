/** An answer of the service, read to its end and held against a schema. A service that is newer than the client is understood. */
import type { z } from 'zod';

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
 * lists does not have, such as a new status or type of event, is one of a newer service: then everything stays as it came.
 * @throws {z.ZodError} when anything else is wrong
 */
export function parseAnswer(schema: z.ZodType, input: unknown): unknown {
  const { data, error } = schema.safeParse(input, { reportInput: true });
  if (!error) return data;
  if (error.issues.every((issue) => issue.code === 'invalid_value' && typeof issue.input === 'string')) return input;
  throw error;
}

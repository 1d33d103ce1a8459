/** An answer of the service as it came, read to its end. */

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

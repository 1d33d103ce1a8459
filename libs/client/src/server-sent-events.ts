/** Reads a stream of Server-Sent Events (HTML Standard, 9.2), which may come in chunks of any size. */

export interface Message {
  /** The place in the stream to go on after; undefined when the message names none. */
  id: string | undefined;
  /** What kind of message it is; undefined when it does not say. */
  event: string | undefined;
  /** The lines of the data, joined; empty when the message only tells a place or a pause. */
  data: string;
  /** How long to wait before the next connection; undefined when the message does not say. */
  retryMs: number | undefined;
}

export async function* messagesIn(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Message> {
  let fields: [name: string, value: string][] = [];
  for await (const line of linesIn(chunks)) {
    if (line !== '') fields.push(fieldIn(line));
    else if (fields.length > 0) {
      yield messageFrom(fields);
      fields = [];
    }
  }
  // A message without its empty line was cut off: the next connection brings it whole.
}

function messageFrom(fields: readonly (readonly [name: string, value: string])[]): Message {
  const valuesOf = (name: string) => fields.filter(([each]) => each === name).map(([, value]) => value);
  const retry = valuesOf('retry').findLast((value) => /^\d+$/.test(value));
  return {
    id: valuesOf('id').at(-1),
    event: valuesOf('event').at(-1),
    data: valuesOf('data').join('\n'),
    retryMs: retry === undefined ? undefined : Number(retry),
  };
}

/** A line that begins with a colon is a comment: a field without a name. */
function fieldIn(line: string): [name: string, value: string] {
  const at = line.indexOf(':');
  if (at === -1) return [line, ''];
  return [line.slice(0, at), line.slice(at + 1).replace(/^ /, '')];
}

/** Lines end in CR LF, LF or CR. A CR at the end of a chunk is kept back: an LF may follow it. */
async function* linesIn(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

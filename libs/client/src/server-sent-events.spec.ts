import { describe, expect, it } from '@jest/globals';
import { allOf } from '../../../test/services/all-of.js';
import { type Message, messagesIn } from './server-sent-events.js';

async function read(...chunks: (string | Uint8Array)[]): Promise<Message[]> {
  const bytes = chunks.map((chunk) => (typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk));
  return allOf(messagesIn(bytes));
}
const message = (fields: Partial<Message>): Message => ({
  ...{ id: undefined, event: undefined, data: '', retryMs: undefined },
  ...fields,
});

describe('a stream of Server-Sent Events', () => {
  it('gives each message with its id and its data, in order', async () => {
    expect(await read('id: 1\nevent: A\ndata: {"a":1}\n\nid: 2\ndata: {"a":2}\n\n')).toEqual([
      message({ id: '1', event: 'A', data: '{"a":1}' }),
      message({ id: '2', data: '{"a":2}' }),
    ]);
  });

  it('tells the place and the pause that come without data', async () => {
    expect(await read('retry: 2000\nid: 0\n\n')).toEqual([message({ id: '0', retryMs: 2_000 })]);
    expect(await read('retry: soon\n\n')).toEqual([message({})]);
  });

  it('joins the lines of data, and keeps colons and further spaces', async () => {
    expect(await read('data: a: b\ndata:  c\ndata:d\ndata\n\n')).toEqual([message({ data: 'a: b\n c\nd\n' })]);
  });

  it.each([
    ['LF', '\n'],
    ['CR LF', '\r\n'],
    ['CR', '\r'],
  ])('takes lines that end in %s', async (_, end) => {
    // The character after the last end tells that it was whole.
    const text = ['id: 1', 'data: a', '', 'id: 2', 'data: b', '', ':'].join(end);
    expect(await read(text)).toEqual([message({ id: '1', data: 'a' }), message({ id: '2', data: 'b' })]);
  });

  it('is the same in chunks of any size', async () => {
    const text = 'id: 1\r\ndata: naïve €\r\n\r\n: still here\r\n\r\nid: 2\r\ndata: b\r\n\r\n';
    const bytes = new TextEncoder().encode(text);
    const whole = await read(bytes);
    expect(whole.filter(({ data }) => data !== '')).toEqual([
      message({ id: '1', data: 'naïve €' }),
      message({ id: '2', data: 'b' }),
    ]);
    for (let size = 1; size < 8; size += 1) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
        bytes.subarray(n * size, (n + 1) * size),
      );
      expect(await read(...chunks)).toEqual(whole);
    }
  });

  it('leaves out a message that was cut off', async () => {
    expect(await read('id: 1\ndata: a\n\nid: 2\ndata: b\n')).toEqual([message({ id: '1', data: 'a' })]);
  });
});

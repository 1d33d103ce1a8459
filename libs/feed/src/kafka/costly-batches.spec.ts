import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import decodeMessages from 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js';
import './costly-batches.js';
import './unreadable-codecs.js';
import { unreadableHeader } from './unreadable-record.js';

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

function recordOf(offsetDelta: number, value: Buffer, headers: readonly string[] = []): Buffer {
  const texts = headers.flatMap((name) => [varint(name.length), Buffer.from(name), varint(0)]);
  const body = Buffer.concat([
    ...[Buffer.from([0]), varint(0), varint(offsetDelta), varint(-1), varint(value.length), value],
    ...[varint(headers.length), ...texts],
  ]);
  return Buffer.concat([varint(body.length), body]);
}

const gzip = 1;

/** The records as a broker gives them: one batch of format 2, which begins at offset 0. */
function fetched(records: readonly Buffer[], codec = 0): Decoder {
  const bytes = Buffer.concat(records);
  const held = codec === gzip ? gzipSync(bytes) : bytes;
  const batch = Buffer.alloc(61 + held.length);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(codec, 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeInt32BE(records.length, 57);
  held.copy(batch, 61);
  const size = Buffer.alloc(4);
  size.writeInt32BE(batch.length);
  return new Decoder(Buffer.concat([size, batch]));
}
const told = (headers: Record<string, Buffer> | undefined) => String(headers?.[unreadableHeader]);
const empty = Buffer.alloc(0);

describe.each([
  ['plain', 0],
  ['compressed', gzip],
])('a batch of records, %s', (_, codec) => {
  it('as a relay sends it is read whole', async () => {
    const records = Array.from({ length: 500 }, (_, n) =>
      recordOf(
        n,
        Buffer.from(JSON.stringify({ id: `0000-${Math.random()}`, position: n, data: { n: Math.random() } })),
      ),
    );
    const read = await decodeMessages(fetched(records, codec));
    expect(read.map(({ offset }) => Number(offset))).toEqual(records.map((_, n) => n));
    expect(read.every(({ headers }) => Object.keys(headers).length === 0)).toBe(true);
  });

  it('of which a few bytes stand for very many is read as one message that says so, at the offset of the last', async () => {
    const records = Array.from({ length: 200_000 }, (_, n) => recordOf(n, empty));
    const [read, ...others] = await decodeMessages(fetched(records, codec));
    expect(others).toEqual([]);
    expect(read).toMatchObject({ offset: '199999', value: null });
    expect(told(read?.headers)).toMatch(/^a batch of 200000 records in \d+ bytes$/);
  });

  it('one of which has a hundred thousand headers is read at once, with some of them', async () => {
    const names = Array.from({ length: 100_000 }, (_, n) => n.toString(36));
    const [read] = await decodeMessages(fetched([recordOf(0, empty, names)], codec));
    expect(Object.keys(read?.headers ?? {}).sort()).toEqual(names.slice(0, 100).sort());
  });
});

it('a record that swells to many times its compressed size is read as a message that says so', async () => {
  const [read] = await decodeMessages(fetched([recordOf(0, Buffer.alloc(30_000_000))], gzip));
  expect(read).toMatchObject({ offset: '0', value: null });
  expect(told(read?.headers)).toBe('swells too much, compressed with gzip');
});

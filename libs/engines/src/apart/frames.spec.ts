import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BrokenFrames, FrameWriter, readFrames } from './frames.js';

async function written(frames: readonly [type: string, payload: Buffer][]): Promise<Buffer> {
  const pipe = new PassThrough({ highWaterMark: 1_048_576 });
  const writer = new FrameWriter(pipe);
  for (const [type, payload] of frames) await writer.write(type, payload);
  void writer.end();
  return Buffer.concat(await pipe.toArray());
}

function cut(bytes: Buffer, pieceBytes: number): Readable {
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, at) =>
    bytes.subarray(at * pieceBytes, (at + 1) * pieceBytes),
  );
  return Readable.from(pieces);
}

async function read(bytes: Buffer, pieceBytes: number, mostBytes = 1_000): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { type, payload } of readFrames(cut(bytes, pieceBytes), mostBytes))
    found.push([type, payload.toString('hex')]);
  return found;
}

describe('the frames between a process of an engine and its owner', () => {
  const frame = fc.tuple(
    fc.constantFrom('a', 'b', 'c'),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  );

  it('come as they were written, wherever the pipe cuts them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame), fc.integer({ min: 1, max: 700 }), async (frames, pieceBytes) => {
        const expected = frames.map(([type, payload]) => [type, payload.toString('hex')]);
        expect(await read(await written(frames), pieceBytes)).toEqual(expected);
      }),
    );
  });

  it('of content come in parts, which are all of it and in the order of the others', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame), fc.integer({ min: 1, max: 700 }), async (frames, pieceBytes) => {
        let found = '';
        const bytes = await written(frames);
        for await (const { type, payload } of readFrames(cut(bytes, pieceBytes), 1_000, 'a'))
          found += type === 'a' ? payload.toString('hex') : `[${type} ${payload.toString('hex')}]`;
        const expected = frames.map(([type, payload]) =>
          type === 'a' ? payload.toString('hex') : `[${type} ${payload.toString('hex')}]`,
        );
        expect(found).toBe(expected.join(''));
      }),
    );
  });

  it('of content are parts of what came, in no memory of their own', async () => {
    const bytes = await written([['a', Buffer.alloc(1_000)]]);
    for await (const { payload } of readFrames(cut(bytes, 300), 1_000, 'a')) expect(payload.buffer).toBe(bytes.buffer);
  });

  it('of content break off as others do', async () => {
    const bytes = await written([['a', Buffer.alloc(1_000)]]);
    const reading = async () => {
      for await (const { type } of readFrames(cut(bytes.subarray(0, -1), 100), 1_000, 'a')) expect(type).toBe('a');
    };
    await expect(reading()).rejects.toBeInstanceOf(BrokenFrames);
  });

  it('are refused when one is longer than it may be, or breaks off', async () => {
    const bytes = await written([['a', Buffer.alloc(1_001)]]);
    await expect(read(bytes, 100)).rejects.toBeInstanceOf(BrokenFrames);
    await expect(read(bytes.subarray(0, -1), 100, 2_000)).rejects.toBeInstanceOf(BrokenFrames);
  });

  it('of any bytes end, and nothing is kept beyond one frame', async () => {
    const bytes = fc.uint8Array({ maxLength: 2_000 }).map((each) => Buffer.from(each));
    await fc.assert(
      fc.asyncProperty(bytes, fc.integer({ min: 1, max: 64 }), async (stranger, pieceBytes) => {
        const outcome = await read(stranger, pieceBytes).catch((error: unknown) => error);
        expect(Array.isArray(outcome) || outcome instanceof BrokenFrames).toBe(true);
      }),
    );
  });
});

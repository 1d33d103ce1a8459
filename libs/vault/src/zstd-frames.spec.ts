import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { decompress } from '@mongodb-js/zstd';
import fc from 'fast-check';
import { chunksOf } from '../fixtures/sample-backup.js';
import { frameAt } from './zstd-format.js';
import { compressFrames, decompressFrames } from './zstd-frames.js';

const mebibyte = 1_048_576;
const compressed = (bytes: Buffer, chunk?: number) => buffer(compressFrames(chunksOf(bytes, chunk)));
const decompressed = (bytes: Buffer, chunk?: number) => buffer(decompressFrames(chunksOf(bytes, chunk)));

/** Content of which half can be compressed. */
function content(length: number): Buffer {
  const bytes = Buffer.alloc(length, 'abcdefgh');
  randomBytes(Math.floor(length / 2)).copy(bytes);
  return bytes;
}

/** How many frames tell the size of their content, which is how we store what does not get smaller. */
function rawFramesIn(stored: Buffer): number {
  let found = 0;
  for (let rest = stored; rest.length > 0; rest = rest.subarray(frameAt(rest).bytes))
    found += rest.readUInt8(4) === 0b1010_0000 ? 1 : 0;
  return found;
}

describe('compression in frames', () => {
  it.each([0, 1, 255, 256, mebibyte - 1, mebibyte, mebibyte + 1, 3 * mebibyte + 7])(
    'gives back %d bytes as they were',
    async (length) => {
      const bytes = content(length);
      expect((await decompressed(await compressed(bytes))).equals(bytes)).toBe(true);
    },
  );

  it('gives back the bytes no matter where the chunks are cut, on the way in and on the way out', async () => {
    const bytes = content(2 * mebibyte + 12_345);
    const cut = fc.integer({ min: 1_000, max: 2 * mebibyte });
    await fc.assert(
      fc.asyncProperty(cut, cut, async (into, out) => {
        expect((await decompressed(await compressed(bytes, into), out)).equals(bytes)).toBe(true);
      }),
      { numRuns: 20 },
    );
    const few = content(300);
    expect((await decompressed(await compressed(few, 1), 1)).equals(few)).toBe(true);
  });

  it.each([0, 1, 3 * mebibyte])('of %d bytes is a standard .zst, which any zstd reads', async (length) => {
    const bytes = content(length);
    expect((await decompress(await compressed(bytes))).equals(bytes)).toBe(true);
  });

  it('stores as it is what does not get smaller, in a standard .zst', async () => {
    const bytes = randomBytes(24 * mebibyte + 5);
    const stored = await compressed(bytes);
    // A frame of zstd has a window, and not the size of its content.
    expect(rawFramesIn(stored)).toBeGreaterThan(12);
    expect(stored.length).toBeLessThan(bytes.length * 1.001);
    expect((await decompress(stored)).equals(bytes)).toBe(true);
    expect((await decompressed(stored)).equals(bytes)).toBe(true);
  });

  it('stores as it is what PostgreSQL keeps of bytes that do not get smaller: only its own headers would', async () => {
    const page = () => {
      const bytes = Buffer.alloc(8_192);
      // Four parts of a large value, each after its header; the head of the page is before them.
      for (let at = 192; at < bytes.length; at += 2_000) randomBytes(1_996).copy(bytes, at + 4);
      return bytes;
    };
    const bytes = Buffer.concat(Array.from({ length: 24 * 128 }, page));
    const stored = await compressed(bytes);
    expect(rawFramesIn(stored)).toBeGreaterThan(12);
    expect((await decompressed(stored)).equals(bytes)).toBe(true);
  });

  it('compresses again soon after what did not get smaller has ended', async () => {
    const bytes = Buffer.concat([randomBytes(8 * mebibyte), Buffer.alloc(32 * mebibyte, 'abcdefgh')]);
    const stored = await compressed(bytes);
    expect(stored.length).toBeLessThan(8.5 * mebibyte);
    expect((await decompressed(stored)).equals(bytes)).toBe(true);
  });

  it('tries a frame as a whole now and then, though its samples did not get smaller', async () => {
    // Each half of a frame is random, and both are alike: no sample shows it.
    const half = randomBytes(mebibyte / 2);
    const bytes = Buffer.concat([randomBytes(4 * mebibyte), ...Array.from({ length: 80 }, () => half)]);
    expect((await compressed(bytes)).length).toBeLessThan(bytes.length * 0.8);
  });

  it('holds no more than a few frames, however long the source', async () => {
    let given = 0;
    let taken = 0;
    let mostAhead = 0;
    const source = (async function* () {
      for (; given < 64; given += 1) yield randomBytes(mebibyte);
    })();
    for await (const frame of compressFrames(source)) {
      taken += frame.length > 0 ? 1 : 0;
      mostAhead = Math.max(mostAhead, given - taken);
    }
    expect(taken).toBe(64);
    expect(mostAhead).toBeLessThanOrEqual(3);
  });

  it('passes on why a source broke', async () => {
    const source = (async function* () {
      yield content(2 * mebibyte);
      throw new Error('the server went away');
    })();
    await expect(buffer(compressFrames(source))).rejects.toThrow('the server went away');
  });

  it('notices that the end is missing, no matter where it was cut off', async () => {
    const whole = await compressed(content(300));
    for (let length = 1; length < whole.length; length += 1) {
      await expect(decompressed(whole.subarray(0, length))).rejects.toMatchObject({ name: 'FrameFault' });
    }
    const frames = await compressed(content(2 * mebibyte));
    await expect(decompressed(frames.subarray(0, frames.length - 1))).rejects.toThrow('in the middle of a frame');
  });

  it('refuses what is no zstd', async () => {
    await expect(decompressed(randomBytes(10_000))).rejects.toMatchObject({ name: 'FrameFault' });
    await expect(decompressed(Buffer.from('28b52ffd0158000000', 'hex'))).rejects.toThrow('dictionary');
  });

  /** A frame of run-length blocks: 4 bytes for each 128 KiB of content. */
  const bomb = (blocks: number, header: string) => {
    const body = Array.from({ length: blocks }, (_, block) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUIntLE((131_072 << 3) | (1 << 1) | (block === blocks - 1 ? 1 : 0), 0, 3);
      return bytes;
    });
    return Buffer.concat([Buffer.from(header, 'hex'), ...body]);
  };
  const silent = '28b52ffd0058';
  const declaring = '28b52ffda000001000';

  it('takes content of as much as a frame may hold', async () => {
    await expect(decompressed(bomb(8, silent))).resolves.toHaveLength(mebibyte);
    await expect(decompressed(bomb(8, declaring))).resolves.toHaveLength(mebibyte);
  });

  it('refuses a frame that would need more memory than any of ours, before it takes any', async () => {
    await expect(decompressed(bomb(100_000, silent), 100)).rejects.toThrow('of content; ours have 1 MiB at most');
    await expect(decompressed(bomb(8, '28b52ffda0ffffff7f'))).rejects.toThrow('up to 2147483647 bytes of content');
    await expect(decompressed(bomb(8, '28b52ffde0ffffffffffffff7f'))).rejects.toThrow('of content');
  });

  it('refuses a frame whose end is further than that of any of ours', async () => {
    const rawBlock = Buffer.concat([Buffer.from([0, 0, 0x10]), Buffer.alloc(131_072)]);
    const endless = Buffer.concat([Buffer.from(silent, 'hex'), ...Array.from({ length: 16 }, () => rawBlock)]);
    await expect(decompressed(endless)).rejects.toMatchObject({ name: 'FrameFault' });
  });
});

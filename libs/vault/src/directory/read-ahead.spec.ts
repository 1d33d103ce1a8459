import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { readAhead, readLent, stepBytes } from './read-ahead.js';
import { chunkBytes } from './vault-root.js';

const file = randomBytes(3 * stepBytes + chunkBytes + 7);
const read = async (memory: Buffer, at: number) => file.copy(memory, 0, at, Math.min(file.length, at + memory.length));
const whole = { from: 0, end: Number.MAX_SAFE_INTEGER };

describe('reading ahead', () => {
  it.each([
    [0, file.length],
    [1, 2],
    [stepBytes - 1, 2 * stepBytes + 1],
    [file.length - 1, file.length],
    [7, 7],
  ])('gives the bytes from %d to %d', async (from, end) => {
    expect((await buffer(readAhead({ from, end }, read))).equals(file.subarray(from, end))).toBe(true);
  });

  it('gives chunks of 128 KiB at the most', async () => {
    const sizes: number[] = [];
    for await (const chunk of readAhead(whole, read)) sizes.push(chunk.length);
    expect(Math.max(...sizes)).toBe(chunkBytes);
  });

  it('ends where the file ends, also when it gives a little at a time', async () => {
    const few = (memory: Buffer, at: number) => read(memory.subarray(0, 1_000), at);
    expect((await buffer(readAhead(whole, few))).equals(file)).toBe(true);
  });

  it('gives every byte to a reader that looks at each chunk before it asks for the next, through two memories that are lent again', async () => {
    const hash = createHash('sha256');
    const memories = new Set<number>();
    const lent = new Set<ArrayBufferLike>();
    for await (const chunk of readLent(whole, read)) {
      hash.update(chunk);
      memories.add(Math.floor(chunk.byteOffset / stepBytes));
      lent.add(chunk.buffer);
    }
    expect(hash.digest('hex')).toBe(createHash('sha256').update(file).digest('hex'));
    expect(memories.size).toBe(2);
    for await (const chunk of readLent(whole, read)) lent.add(chunk.buffer);
    expect(lent.size).toBe(1);
  });

  it('reads the next mebibyte while its reader has the one before, and no more', async () => {
    const begun: number[] = [];
    const reading = readAhead(whole, async (memory, at) => {
      begun.push(at);
      return read(memory, at);
    });
    await reading.next();
    expect(begun).toEqual([0, stepBytes]);
    await new Promise(setImmediate);
    expect(begun).toEqual([0, stepBytes]);
    await reading.return();
  });

  it('gives what came before a failure, and fails then', async () => {
    const failing = async (memory: Buffer, at: number) => {
      if (at > 0) throw new Error('EIO: made up');
      return read(memory, at);
    };
    const given: Buffer[] = [];
    const all = async () => {
      for await (const chunk of readAhead(whole, failing)) given.push(chunk);
    };
    await expect(all()).rejects.toThrow('EIO');
    expect(Buffer.concat(given).equals(file.subarray(0, stepBytes))).toBe(true);
  });

  it('has nothing under way when its reader goes away', async () => {
    let underWay = 0;
    const slow = async (memory: Buffer, at: number) => {
      underWay += 1;
      await new Promise(setImmediate);
      underWay -= 1;
      return read(memory, at);
    };
    for await (const _ of readAhead(whole, slow)) break;
    expect(underWay).toBe(0);
  });
});

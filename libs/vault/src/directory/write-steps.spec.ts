import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { stepBytes } from './read-ahead.js';
import { WriteSteps } from './write-steps.js';

describe('what is written in steps', () => {
  it('is what was given, though each chunk is used for something else as soon as it was taken', async () => {
    const bytes = randomBytes(3 * stepBytes + 12_345);
    for (const chunkBytes of [4_096, 65_531, 131_072, stepBytes, 2 * stepBytes + 1]) {
      const written: Buffer[] = [];
      const steps = new WriteSteps(async (step) => {
        // A disk takes its time, and reads the memory until it is done.
        await new Promise(setImmediate);
        written.push(Buffer.from(step));
      });
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        const chunk = Buffer.from(bytes.subarray(at, at + chunkBytes));
        await steps.take(chunk);
        chunk.fill(0);
      }
      await steps.end();
      await steps.close();
      expect(steps.doneBytes).toBe(bytes.length);
      expect(written.map(({ length }) => length)).toEqual([stepBytes, stepBytes, stepBytes, 12_345]);
      expect(Buffer.concat(written).equals(bytes)).toBe(true);
    }
  });

  it('is collected while the step before is written, and waits for it when it is whole', async () => {
    let finish: () => void = () => {};
    let begun = 0;
    const steps = new WriteSteps(() => {
      begun += 1;
      return new Promise((resolve) => {
        finish = resolve;
      });
    });
    await steps.take(Buffer.alloc(stepBytes));
    await steps.take(Buffer.alloc(stepBytes - 1));
    const whole = steps.take(Buffer.alloc(1));
    await new Promise(setImmediate);
    expect(begun).toBe(1);
    finish();
    await whole;
    expect(begun).toBe(2);
    finish();
    await steps.close();
  });

  it('fails with the step that could not be written, and nothing is written after it', async () => {
    let begun = 0;
    const steps = new WriteSteps(async () => {
      begun += 1;
      throw new Error('the disk is full');
    });
    await steps.take(Buffer.alloc(stepBytes + 1));
    await expect(steps.end()).rejects.toThrow('the disk is full');
    expect(begun).toBe(1);
    await steps.close();
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { OwnBudget, TokenBucket } from './token-bucket.js';

const mebibyte = 1_048_576;
const never = new AbortController().signal;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** Brings chunks one after the other, and counts the bytes that have passed. */
function transfer(bucket: TokenBucket, chunkBytes: number, signal = never): { bytes: number; end?: unknown } {
  const transferred: { bytes: number; end?: unknown } = { bytes: 0 };
  const run = async () => {
    for (;;) {
      await bucket.take(chunkBytes, transferred, signal);
      transferred.bytes += chunkBytes;
      signal.throwIfAborted();
      // Time passes only by the test's clock, so what has no limit must not take all of it.
      if (bucket.limit === undefined) return;
    }
  };
  run().catch((error: unknown) => {
    transferred.end = error;
  });
  return transferred;
}

const limited = (bytesPerSecond: number, budget = new OwnBudget()) => {
  const bucket = new TokenBucket(budget);
  bucket.setLimit(bytesPerSecond);
  return bucket;
};

describe('a limit of bytes a second', () => {
  it.each([
    ['small chunks', 1_000],
    ['chunks of a stream', 131_072],
    ['large chunks', mebibyte],
  ])('is kept within 5 %% over ten seconds by %s', async (_, chunkBytes) => {
    const one = transfer(limited(20 * mebibyte), chunkBytes);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(one.bytes / (200 * mebibyte)).toBeGreaterThan(0.95);
    expect(one.bytes / (200 * mebibyte)).toBeLessThan(1.05);
  });

  it('is shared by bytes: a transfer with large chunks gets no more than one with small ones', async () => {
    const bucket = limited(mebibyte);
    const small = transfer(bucket, 4_096);
    const large = transfer(bucket, 262_144);
    await jest.advanceTimersByTimeAsync(20_000);
    expect((small.bytes + large.bytes) / (20 * mebibyte)).toBeCloseTo(1, 1);
    expect(small.bytes / large.bytes).toBeGreaterThan(0.9);
    expect(small.bytes / large.bytes).toBeLessThan(1.1);
  });

  it('is one limit for all buckets that share a budget', async () => {
    const budget = new OwnBudget();
    const [one, other] = [limited(mebibyte, budget), limited(mebibyte, budget)].map((each) => transfer(each, 65_536));
    await jest.advanceTimersByTimeAsync(20_000);
    const [first, second] = [one?.bytes ?? 0, other?.bytes ?? 0];
    expect((first + second) / (20 * mebibyte)).toBeGreaterThan(0.95);
    expect((first + second) / (20 * mebibyte)).toBeLessThan(1.05);
    expect(first / second).toBeCloseTo(1, 1);
  });

  it('is another one at once when it is changed, for those who wait too', async () => {
    const bucket = limited(1_000);
    const one = transfer(bucket, mebibyte);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(one.bytes).toBe(0);
    bucket.setLimit(10 * mebibyte);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(one.bytes / (20 * mebibyte)).toBeCloseTo(1, 0);
    bucket.setLimit(undefined);
    const before = one.bytes;
    await jest.advanceTimersByTimeAsync(0);
    expect(one.bytes).toBe(before + mebibyte);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('lets a transfer that is told to end go at once, and leaves its turns to the others', async () => {
    const bucket = limited(100_000);
    const ending = new AbortController();
    const one = transfer(bucket, mebibyte, ending.signal);
    const other = transfer(bucket, 10_000);
    await jest.advanceTimersByTimeAsync(1_000);
    const why = new Error('it is not wanted any more');
    ending.abort(why);
    await jest.advanceTimersByTimeAsync(0);
    expect(one).toEqual({ bytes: 0, end: why });
    const before = other.bytes;
    await jest.advanceTimersByTimeAsync(5_000);
    expect((other.bytes - before) / 500_000).toBeCloseTo(1, 1);
  });

  it('keeps no timer when nobody waits', async () => {
    const bucket = limited(1_000);
    const ending = new AbortController();
    const one = transfer(bucket, 10_000, ending.signal);
    await jest.advanceTimersByTimeAsync(100);
    ending.abort(new Error('it has ended'));
    await jest.advanceTimersByTimeAsync(0);
    expect(one.end).toEqual(new Error('it has ended'));
    expect(jest.getTimerCount()).toBe(0);
  });
});

it('without a limit nothing waits', () => {
  expect(new TokenBucket().take(1e12, {}, never)).toBeUndefined();
});

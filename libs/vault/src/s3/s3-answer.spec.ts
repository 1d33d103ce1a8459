import { describe, expect, it } from '@jest/globals';
import { StorePace } from '../flow/store-pace.js';
import { type Patience, patiently, usualPatience } from '../object/patience.js';
import { refusalIn } from './s3-answer.js';

const patience: Patience = { ...usualPatience, attempts: 4, firstPauseMs: 1, longestPauseMs: 3, longestAskedMs: 3 };
const answered = (name: string, status: number, headers: Record<string, string> = {}) =>
  Object.assign(new Error('made up'), {
    name,
    $metadata: { httpStatusCode: status },
    $response: { statusCode: status, headers },
  });
const { signal } = new AbortController();

async function requestsFor(error: unknown, within = patience): Promise<number> {
  let requests = 0;
  const request = () => {
    requests += 1;
    return Promise.reject(error);
  };
  await expect(patiently({ patience: within, signal, refusalIn, pace: new StorePace() }, request)).rejects.toBe(error);
  return requests;
}

describe('the patience with a store of S3', () => {
  it.each([
    ['SlowDown', 503],
    ['InternalError', 500],
    ['', 502],
    ['', 429],
    ['OperationAborted', 409],
    ['BadDigest', 400],
    ['ExpiredToken', 400],
  ])('asks again, and not for ever: %s %d', async (name, status) => {
    await expect(requestsFor(answered(name, status))).resolves.toBe(4);
  });

  it.each([
    ['AccessDenied', 403],
    ['NoSuchBucket', 404],
    ['PreconditionFailed', 412],
    ['NotImplemented', 501],
    ['InsufficientStorage', 507],
  ])('does not ask again for what will not pass: %s %d', async (name, status) => {
    await expect(requestsFor(answered(name, status))).resolves.toBe(1);
  });

  it('knows a connection that broke, in the words of the system and in those of the SDK', async () => {
    await expect(requestsFor(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))).resolves.toBe(4);
    await expect(requestsFor(new Error('AWS SDK error wrapper for TimeoutError: socket hang up'))).resolves.toBe(4);
  });

  it('waits for a part of a pause that doubles, and no longer than the longest', async () => {
    const asked: number[] = [];
    const chance = () => {
      asked.push(asked.length);
      return 0;
    };
    await requestsFor(answered('SlowDown', 503), {
      ...patience,
      longestPauseMs: 600_000,
      firstPauseMs: 300_000,
      chance,
    });
    // The store is left alone for as long as the request waits, and each decides its own part.
    expect(asked).toHaveLength(2 * 3 + 1);
    await requestsFor(answered('SlowDown', 503, { 'retry-after': '3600' }));
  });

  it('ends amid a pause when it is told to', async () => {
    const ending = new AbortController();
    const reason = new Error('the attempt is over');
    const request = () => {
      setImmediate(() => ending.abort(reason));
      return Promise.reject(answered('SlowDown', 503));
    };
    const long = { ...patience, firstPauseMs: 600_000, longestPauseMs: 600_000, chance: () => 1 };
    await expect(
      patiently({ patience: long, signal: ending.signal, refusalIn, pace: new StorePace() }, request),
    ).rejects.toBe(reason);
  });
});

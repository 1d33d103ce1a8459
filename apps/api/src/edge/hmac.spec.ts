import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { hmacSha256 } from './hmac.js';

describe('a digest with a key', () => {
  it('is the HMAC-SHA-256 that everybody computes', () => {
    for (const length of [0, 1, 32, 63, 64]) {
      const key = randomBytes(length);
      for (const text of ['', 'é\0\ud800', 'x'.repeat(70_000)]) {
        expect(hmacSha256(key)(text)).toEqual(createHmac('sha256', key).update(text).digest('hex'));
      }
    }
  });

  it('is refused a key that is longer than a block', () => {
    expect(() => hmacSha256(randomBytes(65))).toThrow(RangeError);
  });
});

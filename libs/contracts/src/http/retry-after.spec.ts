import { expect, it } from '@jest/globals';
import { retryAfterMs } from './retry-after.js';

it('reads a time in `retry-after` as seconds and as the time of a clock', () => {
  const now = Date.parse('2026-11-24T02:00:00Z');
  expect(retryAfterMs('2', now)).toBe(2_000);
  expect(retryAfterMs('Tue, 24 Nov 2026 02:00:05 GMT', now)).toBe(5_000);
  expect(retryAfterMs('Tue, 24 Nov 2026 01:00:00 GMT', now)).toBeUndefined();
  expect(retryAfterMs('soon', now)).toBeUndefined();
  expect(retryAfterMs(undefined, now)).toBeUndefined();
});

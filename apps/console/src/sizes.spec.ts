import { expect, it } from '@jest/globals';
import { bytesOf, left } from './sizes.js';

it.each([
  [null, '–'],
  [0, '0 B'],
  [999, '999 B'],
  [5_000_000_000, '5.0 GB'],
])('says how large %j is', (bytes, words) => {
  expect(bytesOf(bytes)).toBe(words);
});

it('says how fast a transfer was, and when it is done at that speed', () => {
  const now = new Date('2026-11-27T12:00:50Z');
  const copy = { size_bytes: 1_000_000_000, started: '2026-11-27T12:00:00Z' };
  expect(left({ ...copy, progress: 25 }, now)).toBe('25 %, 5.0 MB/s on average, ready in about 3 min');
  expect(left({ ...copy, progress: 0 }, now)).toBe('0 %');
});

import { expect, it } from '@jest/globals';
import { limitInWords } from './region-command.js';

const none = { bytes_per_second: null, at_a_time: null, requests_at_a_time: null };

it.each([
  [{ ...none, scope: 'ORD', bytes_per_second: 20_971_520, at_a_time: 4 }, 'ORD 20 MiB/s, 4 at a time'],
  [{ ...none, scope: 'DFW:ORD', bytes_per_second: 1_049 }, 'DFW:ORD 0.001 MiB/s'],
  [{ ...none, scope: 'ORD', requests_at_a_time: 8 }, 'ORD busy, 8 requests at a time'],
])('says a limit as an operator sets it: %j', (limit, words) => {
  expect(limitInWords(limit)).toBe(words);
});

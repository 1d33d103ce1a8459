import { expect, it } from '@jest/globals';
import { limitWords } from './limits.js';

const none = { bytes_per_second: null, at_a_time: null, requests_at_a_time: null };

it.each([
  [{ ...none, scope: 'ORD', bytes_per_second: 20_971_520 }, 'Its vault: 20 MiB/s'],
  [
    { ...none, scope: 'ORD', bytes_per_second: 13_107_200, at_a_time: 4 },
    'Its vault: 12.5 MiB/s, 4 transfers at a time',
  ],
  [{ ...none, scope: 'ORD', requests_at_a_time: 8 }, 'Its vault: its store is busy and gets 8 requests at a time'],
  [{ ...none, scope: 'DFW:ORD', bytes_per_second: 1_049 }, 'From DFW: 0.001 MiB/s'],
  [{ ...none, scope: 'process', bytes_per_second: 104_857_600 }, 'Each process: 100 MiB/s'],
])('says what a limit holds back: %j', (limit, words) => {
  expect(limitWords(limit)).toBe(words);
});

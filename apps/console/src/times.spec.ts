import { expect, it } from '@jest/globals';
import { lengthOf, timingOf } from './times.js';

it('says on which day a schedule takes a full backup, or that each one is full', () => {
  expect(timingOf({ day_of_week: 0, hour: 3, minute: 5 })).toBe('daily at 03:05, full on Sunday');
  expect(timingOf({ day_of_week: 7, hour: 14, minute: 30 })).toBe('daily at 14:30, always full');
});

it('says how long something took in the largest unit that fits', () => {
  expect([0, 59, 60, 240, 7_199, 9_000].map(lengthOf)).toEqual(['0 s', '59 s', '1 min', '4 min', '120 min', '2.5 h']);
});

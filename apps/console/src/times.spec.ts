import { expect, it } from '@jest/globals';
import { timingOf } from './times.js';

it('says on which day a schedule takes a full backup, or that each one is full', () => {
  expect(timingOf({ day_of_week: 0, hour: 3, minute: 5 })).toBe('daily at 03:05, full on Sunday');
  expect(timingOf({ day_of_week: 7, hour: 14, minute: 30 })).toBe('daily at 14:30, always full');
});

import { describe, expect, it } from '@jest/globals';
import { askedLately } from './lately.js';
import type { ScheduleDefinition } from './schedule.js';
import type { DefinedSince } from './slots.js';

const day = 86_400_000;
const at = (days: number) => new Date(Date.UTC(2026, 0, 1) + days * day);
const since = (days: number, fullBackupRetention: number, copyTo: string[] = []): DefinedSince => {
  const definition: ScheduleDefinition = {
    dayOfWeek: 0,
    hour: 2,
    minute: 0,
    fullBackupRetention,
    copyTo,
    paused: false,
  };
  return { since: at(days), definition };
};

describe('what a schedule asked for lately', () => {
  it('is what it says, when it was not changed within the delay', () => {
    const lately = askedLately([since(0, 9), since(10, 2)], at(18), 7 * day);
    expect(lately).toMatchObject({ cycles: 2, until: undefined });
  });

  it('counts until the delay is over, however often it is changed meanwhile', () => {
    const spans = [since(0, 9), since(10, 2), since(12, 1)];
    expect(askedLately(spans, at(12), 7 * day)).toMatchObject({ cycles: 9, until: at(19) });
    expect(askedLately(spans, at(16.9), 7 * day).cycles).toBe(9);
    expect(askedLately(spans, at(17), 7 * day).cycles).toBe(2);
    expect(askedLately(spans, at(19), 7 * day)).toMatchObject({ cycles: 1, until: undefined });
  });

  it('lets a schedule that keeps more do so at once', () => {
    expect(askedLately([since(0, 1), since(10, 5)], at(11), 7 * day).cycles).toBe(5);
  });

  it('owes the regions that were taken out to the backups that were made since', () => {
    const lately = askedLately([since(0, 1, ['IAD', 'ORD']), since(10, 1, ['IAD'])], at(12), 7 * day);
    expect(lately.owedAt(at(11))).toEqual(['IAD', 'ORD']);
  });

  it('owes a region that came later to nothing that is older', () => {
    const lately = askedLately([since(0, 1), since(10, 1, ['IAD']), since(11, 1)], at(12), 7 * day);
    expect(lately.owedAt(at(9))).toEqual([]);
    expect(lately.owedAt(at(11.5))).toEqual(['IAD']);
  });

  it('is only what it says where there is no delay', () => {
    expect(askedLately([since(0, 9), since(10, 2)], at(9), 0)).toMatchObject({ cycles: 2, until: undefined });
  });
});

import { describe, expect, it } from '@jest/globals';
import type { RestorableRegion } from '@strongroom/contracts';
import { countsOf, sought, standOf } from './restorable.js';

const now = new Date('2026-11-27T12:00:00Z');
const region = (fields: Partial<RestorableRegion>): RestorableRegion => ({
  region: 'IAD',
  wanted: true,
  newest: null,
  owed: 0,
  lost: 0,
  failed: 0,
  ...fields,
});
const completedAt = (completed: string): RestorableRegion['newest'] => ({
  backup_id: 'b',
  slot: null,
  type: 'full',
  created: completed,
  completed,
  verified_at: completed,
  verified_by: 'read',
});

describe('how a region stands', () => {
  it('is old when the next backup should have been there for half a day', () => {
    expect(standOf(region({ newest: completedAt('2026-11-26T00:00:00Z') }), now)).toBe('restorable');
    expect(standOf(region({ newest: completedAt('2026-11-25T23:59:59Z') }), now)).toBe('old');
  });

  it('is nothing where backups belong or were to go, and is not wanted elsewhere', () => {
    expect(standOf(region({}), now)).toBe('nothing');
    expect(standOf(region({ wanted: false, failed: 1 }), now)).toBe('nothing');
    expect(standOf(region({ wanted: false }), now)).toBe('not-wanted');
  });
});

it('counts outcomes in words', () => {
  expect(countsOf(['completed', 'failed', 'completed'])).toBe('2 completed, 1 failed');
  expect(countsOf([])).toBe('none yet');
});

it('finds what has every word', () => {
  const rows = ['orders IAD', 'bills IAD', 'orders ORD'];
  expect(sought(rows, 'iad ORD', (row) => row)).toEqual(['orders IAD']);
});

import { describe, expect, it } from '@jest/globals';
import type { RestorableRegion, RestoreTest } from '@strongroom/contracts';
import { countsOf, sought, standOf, testStandOf } from './restorable.js';

const now = new Date('2026-11-27T12:00:00Z');
const region = (fields: Partial<RestorableRegion>): RestorableRegion => ({
  region: 'IAD',
  wanted: true,
  newest: null,
  owed: 0,
  lost: 0,
  failed: 0,
  restore_tests: [],
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

describe('how the tested restores of a region stand', () => {
  const test = (outcome: RestoreTest['outcome']): RestoreTest => ({
    ...{ backup_id: 'b', region: 'IAD', at: '2026-11-26T00:00:00Z', seconds: 240, by: 'anna', outcome },
    ...(outcome === 'passed'
      ? { proof: 'tables-read', fault: null }
      : { proof: null, fault: { code: 'failed', message: 'failed' } }),
  });

  it('is told by the newest: one that failed after one that passed is a failure', () => {
    expect(testStandOf([])).toBe('not-tested');
    expect(testStandOf([test('passed'), test('failed')])).toBe('tested');
    expect(testStandOf([test('failed'), test('passed')])).toBe('test-failed');
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

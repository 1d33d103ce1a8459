import { describe, expect, it } from '@jest/globals';
import { beyondRetention, type FullOfSchedule } from './retention.js';

const full = (backupId: string, is: FullOfSchedule['is'] = 'completed', isCopied = true) => ({
  backupId,
  is,
  isCopied,
});

describe('retention', () => {
  it('lets the oldest go when there are more than asked', () => {
    const fulls = ['d', 'c', 'b', 'a'].map((id) => full(id));
    expect(beyondRetention(fulls, 2)).toEqual(['a', 'b']);
    expect(beyondRetention(fulls, 4)).toEqual([]);
    expect(beyondRetention([], 1)).toEqual([]);
  });

  it('lets nothing go while the newest is not in every region where it is owed', () => {
    expect(beyondRetention([full('c', 'completed', false), full('b'), full('a')], 1)).toEqual([]);
  });

  it('does not count one that misses a copy, and keeps it until enough others are whole', () => {
    expect(beyondRetention([full('d'), full('c', 'completed', false), full('b'), full('a')], 2)).toEqual(['a']);
  });

  it('tries again what could not be deleted, but not before there are enough', () => {
    expect(beyondRetention([full('c'), full('b', 'delete-failed'), full('a')], 2)).toEqual(['b']);
    expect(beyondRetention([full('c'), full('b', 'delete-failed')], 2)).toEqual([]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { boundFor, madeOnce } from './prepared.js';

describe('the text of a statement', () => {
  it('is made once of the same parts, and anew of others', () => {
    const made: string[] = [];
    const text = madeOnce((bound: number, ...conditions: string[]) => {
      made.push(conditions.join());
      return `select ${conditions.join(' and ')} limit ${bound}`;
    });
    expect(text(8, 'a', 'b')).toBe('select a and b limit 8');
    expect(text(8, 'a', 'b')).toBe('select a and b limit 8');
    expect(made).toHaveLength(1);
    expect(text(8, 'a b')).toBe('select a b limit 8');
    expect(text(8, 'a', '')).toBe('select a and  limit 8');
    expect(text(16, 'a', 'b')).toBe('select a and b limit 16');
    expect(made).toHaveLength(4);
  });

  it('has one of a few limits, none of which is smaller than what is asked for', () => {
    for (let limit = 1; limit <= 1_000; limit += 1) {
      expect(boundFor(limit)).toBeGreaterThan(limit);
      expect(boundFor(limit)).toBeLessThanOrEqual(2 * limit);
    }
    expect(new Set(Array.from({ length: 1_000 }, (_, limit) => boundFor(limit + 1))).size).toBe(10);
  });
});

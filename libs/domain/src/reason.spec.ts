import { describe, expect, it } from '@jest/globals';
import { storable } from './reason.js';

describe('a reason', () => {
  it('is cut to what an event holds, without half a character at its end', () => {
    expect(storable('x'.repeat(3_000))).toBe('x'.repeat(2_000));
    expect(storable(`${'x'.repeat(1_999)}\u{1f512}`)).toBe(`${'x'.repeat(1_999)}\u{fffd}`);
  });

  it('has nothing in it that a database refuses, and is never empty', () => {
    expect(storable('manifest\0.json \ud800')).toBe('manifest\u{fffd}.json \u{fffd}');
    expect(storable('')).not.toBe('');
    expect(storable('The vault \u{1f512} is away.')).toBe('The vault \u{1f512} is away.');
  });
});

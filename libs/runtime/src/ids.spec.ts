import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { uuid } from '@strongroom/contracts';
import { parse, version } from 'uuid';
import { RandomIds } from './ids.js';

const ids = new RandomIds();
/** The milliseconds in the first six bytes of an id. */
const timeOf = (id: string) => Buffer.from(parse(id)).readUIntBE(0, 6);
const freeBits = 122;
/** The bits of an id that are not the same in each id of its version. */
const freeBitsOf = (id: string) => {
  const bits = [...parse(id)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return `${bits.slice(0, 48)}${bits.slice(52, 64)}${bits.slice(66)}`;
};

describe('a new id', () => {
  afterEach(() => void jest.restoreAllMocks());

  it('is a UUID of version 7, in lower case, with the time at which it was made', () => {
    for (let n = 0; n < 1_000; n += 1) {
      const before = Date.now();
      const id = ids.next();
      expect(uuid.parse(id)).toBe(id);
      expect(version(id)).toBe(7);
      expect(id[19]).toMatch(/[89ab]/);
      expect(timeOf(id)).toBeGreaterThanOrEqual(before);
      expect(timeOf(id)).toBeLessThanOrEqual(Date.now());
    }
  });

  it('sorts behind each one before it, also in one millisecond, and when the clock goes back', () => {
    const made = Array.from({ length: 10_000 }, () => ids.next());
    const now = Date.now();
    jest.spyOn(Date, 'now').mockReturnValue(now - 60_000);
    made.push(...Array.from({ length: 1_000 }, () => ids.next()));
    jest.mocked(Date.now).mockReturnValue(now + 60_000);
    made.push(...Array.from({ length: 10_000 }, () => ids.next()));
    expect([...made].sort()).toEqual(made);
    expect(new Set(made).size).toBe(made.length);
  });

  it('has bits of chance that nobody can tell from the ids before it', () => {
    const made = Array.from({ length: 4_000 }, () => freeBitsOf(ids.next()));
    // The last 42 bits are chance in each id: each is 1 in half of the ids, and ten deviations from that do not happen.
    for (let bit = freeBits - 42; bit < freeBits; bit += 1) {
      const ones = made.filter((bits) => bits[bit] === '1').length;
      expect(Math.abs(ones - 2_000)).toBeLessThan(10 * 31.7);
    }
  });
});

import { describe, expect, it } from '@jest/globals';
import { firstUserOf } from './guest-users.js';

describe('the users of built servers in the local stack', () => {
  it('are the same at each start, and others for another stack', () => {
    expect(firstUserOf('/a', 4_294_967_294)).toBe(firstUserOf('/a', 4_294_967_294));
    expect(firstUserOf('/a', 4_294_967_294)).not.toBe(firstUserOf('/b', 4_294_967_294));
    expect(firstUserOf('/a', 4_294_967_294)).toBeGreaterThanOrEqual(1_900_000_000);
  });

  it('are those that a namespace of users has, and not nobody', () => {
    for (const folder of ['/a', '/b', '/c', '/d']) {
      const first = firstUserOf(folder, 65_535);
      expect(first).toBeGreaterThan(60_000);
      expect(first + 31).toBeLessThan(65_534);
    }
  });
});

import { describe, expect, it } from '@jest/globals';
import { ConsumerPace } from './consumer-pace.js';

describe('the pace of a consumer', () => {
  it('asks for less, and gives more time, after each answer that took too long', () => {
    const pace = new ConsumerPace(() => 0);
    const before = pace.settings;
    expect([pace.isSlow(5_000), pace.isSlow(7_000)]).toEqual([false, true]);
    pace.slower();
    expect(pace.settings.fetchBytes).toBeLessThan(before.fetchBytes);
    expect(pace.settings.requestTimeoutMs).toBe(2 * before.requestTimeoutMs);
    expect(pace.settings.sessionTimeoutMs).toBe(2 * before.sessionTimeoutMs);
    expect([pace.isSlow(7_000), pace.isSlow(13_000)]).toEqual([false, true]);
  });

  it('takes any answer in the end', () => {
    const pace = new ConsumerPace(() => 0);
    for (let turn = 0; turn < 20; turn += 1) pace.slower();
    expect(pace.settings.sessionTimeoutMs).toBeLessThan(400_000);
    expect(pace.settings.fetchBytes).toBeGreaterThan(0);
    expect(pace.isSlow(Number.MAX_SAFE_INTEGER)).toBe(false);
  });

  it('is the usual one again when nothing was slow for half an hour', () => {
    let now = 0;
    const pace = new ConsumerPace(() => now);
    const before = pace.settings;
    pace.slower();
    now = 1_800_001;
    expect(pace.settings).toEqual(before);
  });
});

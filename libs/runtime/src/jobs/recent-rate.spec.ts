import { describe, expect, it } from '@jest/globals';
import { RecentRate } from './recent-rate.js';

describe('how fast a job goes', () => {
  it('is what has come since it began, and after ten seconds what has come in the last ten', () => {
    const rate = new RecentRate(5_000);
    expect(rate.at(6_000, 300)).toBe(300);
    expect(rate.at(7_000, 300)).toBe(150);
    for (let second = 8; second <= 15; second += 1) rate.at(second * 1_000, 300);
    expect(rate.at(15_500, 350)).toBe(33);
    expect(rate.at(16_000, 350)).toBe(5);
  });

  it('is nothing once it has stood still for ten seconds, however much it has moved before', () => {
    const rate = new RecentRate(0);
    expect(rate.at(1_000, 5_000_000)).toBe(5_000_000);
    for (let second = 2; second <= 10; second += 1) expect(rate.at(second * 1_000, 5_000_000)).toBeGreaterThan(0);
    expect(rate.at(11_000, 5_000_000)).toBe(0);
  });

  it('counts from the last look when nobody has looked for long', () => {
    const rate = new RecentRate(0);
    rate.at(1_000, 1_000);
    expect(rate.at(101_000, 2_000)).toBe(10);
  });

  it('goes on where it was begun anew, from another region', () => {
    const rate = new RecentRate(0);
    rate.at(1_000, 8_000);
    expect(rate.at(3_000, 400)).toBe(200);
  });

  it('is nothing before any time has passed', () => {
    expect(new RecentRate(1_000).at(1_000, 9_000)).toBe(0);
  });
});

import { describe, expect, it, jest } from '@jest/globals';
import { Health } from './health.js';

describe('what strangers are told of the readiness', () => {
  it('costs one look, however many ask and how fast, and says at once that the process stops', async () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(0);
    const health = new Health();
    let looks = 0;
    health.addReadiness('database', async () => {
      looks += 1;
    });
    const together = await Promise.all(Array.from({ length: 50 }, () => health.statusForAll()));
    expect(new Set(together)).toEqual(new Set(['ready']));
    for (let n = 0; n < 50; n += 1) await health.statusForAll();
    expect(looks).toBe(1);
    now.mockReturnValue(1_001);
    expect(await health.statusForAll()).toBe('ready');
    expect(looks).toBe(2);
    // Operators always get a look of their own.
    await health.readiness();
    expect(looks).toBe(3);
    health.onModuleDestroy();
    expect(await health.statusForAll()).toBe('stopping');
    now.mockRestore();
  });

  it('is not ready while a check fails', async () => {
    const health = new Health();
    health.addReadiness('database', () => Promise.reject(new Error('away')));
    expect(await health.statusForAll()).toBe('not-ready');
  });
});

describe('what a process does without', () => {
  it('is told to operators, and does not make the process unready', async () => {
    const health = new Health();
    health.addReadiness('database', async () => {});
    const outages: string[] = [];
    health.addDegradation('regions', () => outages);
    expect(await health.readiness()).not.toHaveProperty('degraded');
    outages.push('Region ORD has been out of use since 2026-11-24T02:00:00Z: its bucket is gone.');
    const told = await health.readiness();
    expect(told).toMatchObject({ status: 'ready', degraded: { regions: outages } });
    expect(await health.statusForAll()).toBe('ready');
  });

  it('is left out when it can not be told', async () => {
    const health = new Health();
    health.addDegradation('regions', () => Promise.reject(new Error('the database is away')));
    expect(await health.readiness()).toEqual({ status: 'ready', checks: {} });
  });
});

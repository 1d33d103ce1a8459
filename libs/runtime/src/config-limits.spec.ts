import { describe, expect, it } from '@jest/globals';
import { environment, problemsOf } from '../fixtures/configuration.js';
import { deletionRulesOf, loadConfig, quotaOf } from './config.js';

describe('the configuration of limits', () => {
  it('takes the quotas of all accounts and of single ones, and 0 as no limit', () => {
    const of = (given: string) => loadConfig('api', { ...environment, STRONGROOM_QUOTAS: given }).quotas;
    const { instances, backups, streams } = of('instances=0,backups=4, acme:instances=7,acme:backups=0');
    expect(['acme', 'other'].map((account) => quotaOf(instances, account))).toEqual([7, null]);
    expect(['acme', 'other'].map((account) => quotaOf(backups, account))).toEqual([null, 4]);
    expect(quotaOf(streams, 'other')).toBe(20);
    for (const wrong of ['servers=1', 'instances=-1', 'instances=1,instances=2', 'a b:instances=1', 'instances'])
      expect(problemsOf('api', { ...environment, STRONGROOM_QUOTAS: wrong })).toEqual({
        STRONGROOM_QUOTAS: expect.stringContaining('must be like instances=500'),
      });
  });

  it('reads limits of requests, and turns them off', () => {
    const limits = (value: string) => loadConfig('api', { ...environment, STRONGROOM_RATE_LIMITS: value }).rateLimits;
    expect(limits('off')).toEqual([]);
    expect(limits('postBackups=5/60, *=10/1')).toEqual([
      { of: 'postBackups', requests: 5, seconds: 60 },
      { of: '*', requests: 10, seconds: 1 },
    ]);
    expect(Object.keys(problemsOf('api', { ...environment, STRONGROOM_RATE_LIMITS: 'GET=5/0' }))).toEqual([
      'STRONGROOM_RATE_LIMITS',
    ]);
  });

  it.each(['postBackup=5/60', 'GET=9/60,getmetrics=5/60', 'getMetrics=5/60', 'TRACE=5/60'])(
    'refuses a limit of %s, which would limit nothing, and says what there is',
    (value) => {
      const name = /([A-Za-z]+)=5/.exec(value)?.[1];
      const { STRONGROOM_RATE_LIMITS: problem } = problemsOf('api', { ...environment, STRONGROOM_RATE_LIMITS: value });
      expect(problem).toContain(`${name} is neither a method nor an operation of an account`);
      expect(problem).toContain('postBackups, getBackups');
      expect(problem).not.toContain(', getMetrics');
    },
  );

  it('has a minimum retention for every account, and others for single accounts', () => {
    const retention = (value: string) =>
      loadConfig('scheduler', { ...environment, STRONGROOM_MINIMUM_RETENTION_DAYS: value }).deletion;
    const day = 86_400_000;
    const of = (value: string, accountId: string) => deletionRulesOf(retention(value), accountId).minimumMs;
    expect([of('7', 'acme'), of('0', 'acme'), of('36500', 'acme')]).toEqual([7 * day, 0, 36_500 * day]);
    expect([of('7, acme=30', 'acme'), of('7,acme=30,b=0', 'b'), of('7,acme=30', 'other')]).toEqual([
      30 * day,
      0,
      7 * day,
    ]);
    for (const wrong of [
      '',
      'acme=7',
      '7,acme',
      '7,acme=1=2',
      '7,acme=x',
      '7,acme=1,acme=2',
      '-1',
      '1.5',
      '36501',
      '7,a b=1',
    ]) {
      const env = { ...environment, STRONGROOM_MINIMUM_RETENTION_DAYS: wrong };
      if (wrong === '') expect(of(wrong, 'acme')).toBe(0);
      else expect(problemsOf('scheduler', env).STRONGROOM_MINIMUM_RETENTION_DAYS).toContain('must be days from 0');
    }
  });

  it('reads the limits of pages, and keeps those that are not named', () => {
    const limits = (value: string) => loadConfig('api', { ...environment, STRONGROOM_PAGE_LIMITS: value }).pageLimits;
    expect(limits('backups=50, instances=1000')).toEqual({
      backups: 50,
      schedules: 100,
      instances: 1_000,
      runs: 100,
      events: 100,
      audit: 100,
      webhooks: 100,
      deliveries: 100,
    });
    for (const wrong of ['50', 'backups=0', 'backups=1001', 'copies=5', 'backups=5,', 'backups=1.5']) {
      expect(problemsOf('api', { ...environment, STRONGROOM_PAGE_LIMITS: wrong })).toEqual({
        STRONGROOM_PAGE_LIMITS: expect.stringContaining('must be like backups=50,schedules=200'),
      });
    }
  });
});

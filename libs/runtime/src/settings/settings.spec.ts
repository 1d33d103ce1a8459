import { describe, expect, it } from '@jest/globals';
import * as alarms from './alarms.js';
import * as audit from './audit.js';
import * as built from './built-servers.js';
import * as deletion from './deletion.js';
import * as encryption from './encryption.js';
import * as identity from './identity.js';
import * as kafka from './kafka.js';
import * as ledgerAndFeed from './ledger-and-feed.js';
import * as limits from './limits.js';
import * as service from './process.js';
import * as quotas from './quotas.js';
import * as scrub from './scrub.js';
import { appNames, defaultOf } from './setting.js';
import { settings } from './settings.js';
import * as traces from './traces.js';
import * as transfers from './transfers.js';
import * as transport from './transport.js';
import * as vaults from './vaults.js';
import * as work from './work.js';

describe('the list of settings', () => {
  it('has every setting that is declared, each once', () => {
    const declared = [
      alarms,
      audit,
      built,
      deletion,
      encryption,
      identity,
      kafka,
      ledgerAndFeed,
      limits,
      quotas,
      scrub,
      service,
      traces,
      transfers,
      transport,
      vaults,
      work,
    ]
      .flatMap((file): unknown[] => Object.values(file))
      .filter((each) => typeof each === 'object' && each !== null && 'form' in each);
    expect(declared.length).toBeGreaterThan(30);
    expect(new Set(settings)).toEqual(new Set(declared));
    expect(new Set(settings.map(({ name }) => name)).size).toBe(settings.length);
  });

  it.each(settings.filter((setting) => setting.default !== undefined))(
    'gives $name a default that it takes',
    (setting) => {
      for (const app of appNames) expect(setting.form.schema.safeParse(defaultOf(setting, app)).success).toBe(true);
    },
  );

  it('says of each in whole sentences what it means', () => {
    expect(settings.filter(({ meaning }) => !/^[A-Z`].*\.$/.test(meaning)).map(({ name }) => name)).toEqual([]);
  });

  it('requires none that has a default', () => {
    const both = settings.filter((each) => each.default !== undefined && (each.isRequired || each.requiredWhen));
    expect(both.map(({ name }) => name)).toEqual([]);
  });
});

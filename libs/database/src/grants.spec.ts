import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { grants, privileges, serviceNames } from './grants.js';

const schema = readFileSync(join(__dirname, '..', 'schema.sql'), 'utf8');
const tables = [...schema.matchAll(/^create (?:unlogged )?table (\w+)/gm)].map(([, table = '']) => table);
/** Only functions with the rights of the owner of the database use them. */
const ofOwner = ['ledger_quota', 'ledger_writer'];

describe('the grants', () => {
  it('give each table to a service, or to none on purpose: a new table needs a line', () => {
    expect(tables.length).toBeGreaterThan(25);
    const given = new Set(serviceNames.flatMap((service) => Object.keys(grants[service].tables)));
    expect([...given].filter((table) => table !== 'schema_migration').sort()).toEqual(
      tables.filter((table) => !ofOwner.includes(table)).sort(),
    );
  });

  it('let no service change what was recorded, nor the replicator read a credential', () => {
    for (const service of serviceNames) {
      for (const [table, allowed] of Object.entries(grants[service].tables)) {
        expect(privileges).toEqual(expect.arrayContaining([...allowed]));
        if (table.startsWith('ledger_') && table !== 'ledger_identity')
          expect([table, allowed]).toEqual([table, ['select']]);
      }
    }
    const ofReplicator = Object.keys(grants.replicator.tables);
    expect(ofReplicator.filter((table) => table.includes('credential'))).toEqual([]);
  });
});

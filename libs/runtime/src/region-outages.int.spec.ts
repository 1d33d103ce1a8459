import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { type RegionOutage, RegionOutages } from './region-outages.js';

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'region-outages-spec' }));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

const outage: RegionOutage = {
  region: 'ORD',
  since: new Date('2026-11-14T14:30:00.000Z'),
  code: 'vault-unavailable',
  reason: 'It hangs.',
};
const seen = (): Promise<{ seen_at: Date }[]> =>
  dataSource.query(`select seen_at from region_outage where seen_by = 'scheduler-1'`);
/** As a process has left it that had the name before, and was killed in an outage. */
const leftBehind = () =>
  dataSource.query(
    `insert into region_outage (region, seen_by, since, code, reason) values ('ORD', 'scheduler-1', now(), 'vault-unavailable', '')`,
  );

it('an outage is said again for as long as it goes on, and where there is none, nothing is written', async () => {
  await leftBehind();
  const outages = new RegionOutages(dataSource);
  await outages.keep('scheduler-1', []);
  expect(await seen()).toEqual([]);
  // Only a statement of its own could remove this one.
  await leftBehind();
  await outages.keep('scheduler-1', []);
  expect(await seen()).toHaveLength(1);

  await outages.keep('scheduler-1', [outage]);
  const [first] = await seen();
  await outages.keep('scheduler-1', [outage]);
  const [second] = await seen();
  expect(second?.seen_at.getTime()).toBeGreaterThan(first?.seen_at.getTime() ?? Number.NaN);
  expect(await outages.known()).toEqual(new Map([['ORD', outage]]));

  await outages.keep('scheduler-1', []);
  expect(await seen()).toEqual([]);
});

it('an end of an outage that could not be written is written later', async () => {
  const outages = new RegionOutages(dataSource);
  await outages.keep('scheduler-1', [outage]);
  await dataSource.query('alter table region_outage rename to missing_for_spec');
  await expect(outages.keep('scheduler-1', [])).rejects.toThrow('region_outage');
  await dataSource.query('alter table missing_for_spec rename to region_outage');
  await outages.keep('scheduler-1', []);
  expect(await seen()).toEqual([]);
});

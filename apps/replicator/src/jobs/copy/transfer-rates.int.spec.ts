import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../../test/services/database.js';
import { TransferRates } from './transfer-rates.js';

const mib = 1_048_576;
let database: TestDatabase;
let dataSource: DataSource;
let rates: TransferRates;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'rates-spec' }));
  rates = new TransferRates(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

const copied = (from: string, to: string, bytes: number, ms: number) => rates.measured({ from, to, bytes, ms });
const measuredDaysAgo = (from: string, days: number) =>
  dataSource.query(`update transfer_rate set measured_at = now() - $2 * interval '1 day' where source_region = $1`, [
    from,
    days,
  ]);

describe('how fast copies come from one region to another', () => {
  it('is known from the first that brings 16 MiB, for that pair and that direction alone', async () => {
    await copied('DFW', 'ORD', 16 * mib - 1, 1_000);
    expect(await rates.to('ORD')).toEqual(new Map());
    await copied('DFW', 'ORD', 16 * mib, 2_000);
    await copied('IAD', 'ORD', 64 * mib, 1_000);
    expect(await rates.to('ORD')).toEqual(
      new Map([
        ['DFW', 8 * mib],
        ['IAD', 64 * mib],
      ]),
    );
    expect(await rates.to('DFW')).toEqual(new Map());
  });

  it('counts each new one for three tenths beside what was known', async () => {
    await copied('DFW', 'LON', 100 * mib, 1_000);
    await copied('DFW', 'LON', 50 * mib, 1_000);
    expect((await rates.to('LON')).get('DFW')).toBeCloseTo(85 * mib, 3);
    await copied('DFW', 'LON', 50 * mib, 1_000);
    expect((await rates.to('LON')).get('DFW')).toBeCloseTo(74.5 * mib, 3);
  });

  it('is forgotten after 30 days, and the next one counts whole', async () => {
    await copied('SYD', 'HKG', 100 * mib, 1_000);
    await measuredDaysAgo('SYD', 29);
    expect(await rates.to('HKG')).toEqual(new Map([['SYD', 100 * mib]]));
    await measuredDaysAgo('SYD', 31);
    expect(await rates.to('HKG')).toEqual(new Map());
    await copied('SYD', 'HKG', 20 * mib, 1_000);
    expect(await rates.to('HKG')).toEqual(new Map([['SYD', 20 * mib]]));
  });

  it('is not told by what took no time', async () => {
    await copied('PAR', 'FRA', 100 * mib, 0);
    expect(await rates.to('FRA')).toEqual(new Map());
  });
});

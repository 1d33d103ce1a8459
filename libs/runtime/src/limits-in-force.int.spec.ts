import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { type LimitInForce, LimitsInForce } from './limits-in-force.js';

let database: TestDatabase;
let dataSource: DataSource;
let limits: LimitsInForce;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'limits-in-force-spec' }));
});
beforeEach(async () => {
  await dataSource.query('truncate transfer_in_force');
  limits = new LimitsInForce(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

const of = (scope: string, more: Partial<LimitInForce> = {}): LimitInForce => ({
  ...{ scope, bytesPerSecond: null, atATime: null, requestsAtATime: null },
  ...more,
});
const age = (process: string, interval: string) =>
  dataSource.query(`update transfer_in_force set told_at = now() - $2::interval where process = $1`, [
    process,
    interval,
  ]);
const toldAt = async (process: string): Promise<Date | undefined> => {
  const [row] = await dataSource.query('select told_at from transfer_in_force where process = $1', [process]);
  return row?.told_at;
};

it('limits are those of the process that tells them: none is not the same as nobody who tells', async () => {
  expect(await limits.known()).toBeUndefined();
  await limits.tell('one', []);
  expect(await limits.known()).toEqual([]);
  const set = [of('DFW:ORD', { bytesPerSecond: 5_000 }), of('ORD', { atATime: 4, requestsAtATime: 8 })];
  await limits.tell('one', set);
  expect(await limits.known()).toEqual(set);
});

it('the lowest counts where processes keep to different limits', async () => {
  await limits.tell('one', [of('ORD', { bytesPerSecond: 7_000, atATime: 2 }), of('process', { bytesPerSecond: 9 })]);
  await limits.tell('two', [of('ORD', { bytesPerSecond: 3_000, atATime: 6, requestsAtATime: 1 })]);
  await limits.tell('three', []);
  expect(await limits.known()).toEqual([
    of('ORD', { bytesPerSecond: 3_000, atATime: 2, requestsAtATime: 1 }),
    of('process', { bytesPerSecond: 9 }),
  ]);
});

it('what a process has told counts for a minute, and goes after a day', async () => {
  await limits.tell('one', [of('ORD', { atATime: 1 })]);
  await age('one', '61 s');
  expect(await limits.known()).toBeUndefined();
  await age('one', '25 h');
  await limits.tell('two', []);
  expect(await toldAt('one')).toBeUndefined();
});

it('what has not changed is not written each time', async () => {
  await limits.tell('one', [of('ORD', { atATime: 1 })]);
  const first = await toldAt('one');
  await limits.tell('one', [of('ORD', { atATime: 1 })]);
  expect(await toldAt('one')).toEqual(first);
  await limits.tell('one', [of('ORD', { atATime: 2 })]);
  expect(await toldAt('one')).not.toEqual(first);
});

it('what could not be written is written later', async () => {
  await dataSource.query('alter table transfer_in_force rename to missing_for_spec');
  await expect(limits.tell('one', [])).rejects.toThrow('transfer_in_force');
  await dataSource.query('alter table missing_for_spec rename to transfer_in_force');
  await limits.tell('one', []);
  expect(await limits.known()).toEqual([]);
});

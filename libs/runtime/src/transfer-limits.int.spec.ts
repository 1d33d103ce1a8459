import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { SetTransferLimits } from './set-transfer-limits.js';
import { SharedBudget } from './transfer-limits.js';

let database: TestDatabase;
let dataSource: DataSource;
let limits: SetTransferLimits;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'transfer-limits-spec' }));
  limits = new SetTransferLimits(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

it('limits of transfers are set, changed, lifted and unset', async () => {
  await limits.set('ORD', 20_000_000);
  await limits.set('DFW:ORD', 5_000);
  await limits.set('ORD', 10_000_000);
  await limits.set('IAD', null);
  expect((await limits.read()).rates).toEqual(
    new Map([
      ['DFW:ORD', 5_000],
      ['IAD', null],
      ['ORD', 10_000_000],
    ]),
  );
  expect(await limits.unset('ORD')).toBe(true);
  expect(await limits.unset('ORD')).toBe(false);
  expect([...(await limits.read()).rates.keys()]).toEqual(['DFW:ORD', 'IAD']);
});

it('numbers of transfers at a time are set beside them, changed, lifted and unset', async () => {
  await limits.setCap('ORD', 4);
  await limits.setCap('ORD', 2);
  await limits.setCap('LON', null);
  const set = new Map([
    ['LON', null],
    ['ORD', 2],
  ]);
  expect((await limits.read()).caps).toEqual(set);
  expect((await limits.read()).rates.has('ORD')).toBe(false);
  await expect(limits.setCap('ORD', 0)).rejects.toThrow('check constraint');
  expect(await limits.unsetCap('LON')).toBe(true);
  expect(await limits.unsetCap('LON')).toBe(false);
  expect([...(await limits.read()).caps.keys()]).toEqual(['ORD']);
});

it('processes that share a limit are given pieces of time one after the other, and what nobody asked for is not made up for', async () => {
  const own = {
    ask: (): never => {
      throw new Error('it is for when the database is away');
    },
  };
  const processes = Array.from({ length: 4 }, () => new SharedBudget(limits, 'SYD', own));
  // Each of twelve pieces takes three seconds of the limit, whoever asks for it.
  const pieceMs = 3_000;
  const begunAt = performance.now();
  for (let index = 0; index < 12; index += 1) {
    const { bytes, inMs } = (await processes[index % 4]?.ask(300, 100)) ?? { bytes: 0, inMs: Number.NaN };
    expect(bytes).toBe(300);
    expect(inMs).toBeLessThanOrEqual(index * pieceMs);
    // What has gone by meanwhile counts, and of the past before the first question a tenth of a second.
    expect(inMs).toBeGreaterThanOrEqual(index * pieceMs - (performance.now() - begunAt) - 101);
  }
});

it('while the database is away, each process keeps to the limit by itself', async () => {
  const asked: number[] = [];
  const own = {
    ask: (bytes: number) => {
      asked.push(bytes);
      return { bytes, inMs: 7 };
    },
  };
  const away = { take: () => Promise.reject(new Error('the database is away')) };
  const budget = new SharedBudget(away, 'SYD', own);
  expect(await budget.ask(500, 1_000)).toEqual({ bytes: 500, inMs: 7 });
  expect(await budget.ask(600, 1_000)).toEqual({ bytes: 600, inMs: 7 });
  expect(asked).toEqual([500, 600]);
});

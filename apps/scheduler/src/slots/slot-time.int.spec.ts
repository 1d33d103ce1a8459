import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, FixedClock, Metrics } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { DueClock, SteadyDueClock } from './due-clock.js';

const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 10, 26);

/** A database's clock turned by hand. */
class HandTurnedClock extends DueClock {
  atMs = startMs;

  now(): Promise<Date> {
    return Promise.resolve(new Date(this.atMs));
  }
}

let testDatabase: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  ({ database: testDatabase, dataSource } = await connectTestDatabase({ applicationName: 'slot-time-spec' }));
});
afterAll(async () => {
  await dataSource.destroy();
  await testDatabase.drop();
});
let database: HandTurnedClock;
let process: FixedClock;
let uptimeMs: number;
let clock: SteadyDueClock;
beforeEach(() => {
  [database, process, uptimeMs] = [new HandTurnedClock(), new FixedClock(new Date(startMs)), 1_000_000];
  const log = createLogger({ app: 'spec', level: 'silent' });
  const rest = { boot: undefined, catchUpMs: dayMs / 2, metrics: new Metrics(), log };
  clock = new SteadyDueClock({ database, process, uptimeMs: () => uptimeMs, ...rest });
});
const pass = (ms: number) => {
  uptimeMs += ms;
  database.atMs += ms;
  process.advance(ms);
};
const read = () => clock.time(dataSource.manager);

describe('the time of the slots, as others are told it', () => {
  it('is not known before the slots were looked at, nor when that was long ago', async () => {
    expect(clock.latest()).toBeUndefined();
    await read();
    expect(clock.latest()).toEqual({ now: new Date(startMs), isInDoubt: false });
    pass(59_000);
    expect(clock.latest()).toEqual({ now: new Date(startMs + 59_000), isInDoubt: false });
    pass(2_000);
    expect(clock.latest()).toBeUndefined();
  });

  it.each([
    ['the clock of the database', () => (database.atMs += 8 * dayMs), false],
    ['the clock of the process', () => process.advance(8 * dayMs), false],
    [
      'all clocks',
      () => {
        database.atMs += 8 * dayMs;
        process.advance(8 * dayMs);
      },
      true,
    ],
  ])('is not brought forward when %s is a week ahead', async (_, jump, isInDoubt) => {
    await read();
    pass(1_000);
    jump();
    await read();
    expect(clock.latest()).toEqual({ now: new Date(startMs + 1_000), isInDoubt });
  });
});

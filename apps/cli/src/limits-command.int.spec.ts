import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { runStrongroom } from '../fixtures/run-strongroom.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const run = (...args: string[]) => runStrongroom(['limits', ...args], { STRONGROOM_DATABASE_URL: database.url });
const set = async () => JSON.parse((await run('list', '--json')).stdout);

describe('strongroom limits', () => {
  it('shows what was set, has the settings count again for what was unset, and changes nothing where a call is wrong', async () => {
    expect((await run('list')).stdout).toContain('No limit was set');
    expect(await run('set', 'ORD', '20')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('ORD has 20 MiB a second from now on'),
    });
    expect(await run('set', 'DFW:ORD', 'none')).toMatchObject({ code: 0 });
    expect(await set()).toEqual({ ORD: 20_971_520, 'DFW:ORD': null });
    expect(await run('unset', 'ORD')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('the limit of the settings again'),
    });
    for (const [args, why] of [
      [['set', 'ORD', 'fast'], 'Give a number of MiB a second'],
      [['set', 'DFW:ORD:IAD', '5'], "can't be limited"],
      [['unset', 'all'], "can't be limited"],
    ] as const) {
      const { code, output } = await run(...args);
      expect([args, code, output]).toEqual([args, 2, expect.stringContaining(why)]);
    }
    expect(await set()).toEqual({ 'DFW:ORD': null });
  }, 60_000);
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KnownVaults } from '@strongroom/runtime';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { runStrongroom } from '../../../test/services/run-strongroom.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const run = (...args: string[]) => runStrongroom(['limits', ...args], { STRONGROOM_DATABASE_URL: database.url });
const set = async () => JSON.parse((await run('list', '--json')).stdout);

describe('strongroom limits', () => {
  it('shows what was set, has the settings count again for what was unset, and changes nothing where a call is wrong', async () => {
    expect(await run('list')).toMatchObject({ stdout: '', output: expect.stringContaining('No limit was set') });
    expect(await run('set', 'ORD', '20')).toMatchObject({
      code: 0,
      stdout: '',
      output: expect.stringContaining('ORD has 20 MiB a second from now on'),
    });
    expect(await run('set', 'DFW:ORD', 'none')).toMatchObject({ code: 0 });
    expect(await run('set', 'ord', '--at-a-time', '4')).toMatchObject({
      code: 0,
      stdout: '',
      output: expect.stringContaining('ORD has 4 transfers of a process at a time from now on'),
    });
    // As for --from, small letters are as good.
    const told = await run('set', 'iad', '2.5', '--at-a-time', 'none', '--json');
    expect({ code: told.code, ...JSON.parse(told.stdout) }).toEqual({
      code: 0,
      bytesPerSecond: { ORD: 20_971_520, 'DFW:ORD': null, IAD: 2_621_440 },
      atATime: { ORD: 4, IAD: null },
    });
    expect(await set()).toEqual(JSON.parse(told.stdout));
    const shown = (await run('list')).stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(shown).toEqual(
      expect.arrayContaining([
        ['ORD', '20 MiB a second'],
        ['ORD', '4 transfers of a process at a time'],
        ['IAD', 'no limit of transfers at a time'],
      ]),
    );
    const plain = (await run('list', '--plain')).stdout.trim().split('\n').sort();
    expect(plain).toEqual([
      'at-a-time\tIAD\tnone',
      'at-a-time\tORD\t4',
      'rate\tDFW:ORD\tnone',
      'rate\tIAD\t2621440',
      'rate\tORD\t20971520',
    ]);
    expect(await run('unset', 'iad')).toMatchObject({
      code: 0,
      stdout: '',
      output: expect.stringContaining('IAD has the limit of the settings again'),
    });
    expect((await run('unset', 'iad', '--at-a-time')).output).toContain('as the settings say again');
    expect((await run('unset', 'iad', '--at-a-time')).output).toContain('No number of transfers at a time was set');
    expect(JSON.parse((await run('unset', 'ORD', '--json')).stdout)).toEqual({
      bytesPerSecond: { 'DFW:ORD': null },
      atATime: { ORD: 4 },
    });
    for (const [args, why] of [
      [['set', 'ORD', 'fast'], 'Give a number of MiB a second'],
      [['set', 'DFW:ORD:IAD', '5'], "can't be limited"],
      [['unset', 'a b'], "can't be limited"],
      [['set', 'ORD'], 'MiB a second, or --at-a-time'],
      [['set', 'ORD', '5', '--at-a-time', '0'], 'no number of transfers at a time. Give one from 1 to 1000'],
      [['set', 'ORD', '--at-a-time', '1.5'], 'Give one from 1 to 1000'],
      [['set', 'DFW:ORD', '5', '--at-a-time', '2'], 'Name a region as ORD'],
      [['set', 'process', '--at-a-time', '2'], 'Name a region as ORD'],
    ] as const) {
      const { code, output } = await run(...args);
      expect([args, code, output]).toEqual([args, 2, expect.stringContaining(why)]);
    }
    expect(await set()).toEqual({ bytesPerSecond: { 'DFW:ORD': null }, atATime: { ORD: 4 } });
  }, 60_000);

  it('sets one for a region that no service has had a vault of, and says so beside it', async () => {
    const unknown = 'No service has had a vault of OR, so nothing is limited before one has. There are vaults of';
    expect((await run('set', 'OR', '20')).output).toContain(`${unknown} no region.`);
    const dataSource = await openDataSource({ url: database.url, applicationName: 'limits-spec' });
    try {
      const vaults = new KnownVaults(dataSource);
      for (const region of ['DFW', 'ORD']) await vaults.remember({ region, vaultId: randomUUID() });
    } finally {
      await dataSource.destroy();
    }
    for (const args of [
      ['DFW:or', '20'],
      ['or', '--at-a-time', '4'],
    ]) {
      const { code, output } = await run('set', ...args);
      expect([code, output]).toEqual([0, expect.stringContaining('from now on')]);
      expect(output).toContain(`${unknown} DFW, ORD.`);
      expect(output).toContain(`Where it is mistyped: strongroom limits unset ${args[0]?.toUpperCase()}`);
    }
    expect((await run('set', 'DFW:ORD', '20')).output).toMatch(/^DFW:ORD has .*\n$/);
  }, 60_000);
});

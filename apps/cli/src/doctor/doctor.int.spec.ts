import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KnownVaults } from '@strongroom/runtime';
import { openVaults } from '@strongroom/vault';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { examined as examine } from '../../../../test/services/examined.js';
import { runStrongroom } from '../../../../test/services/run-strongroom.js';
import { exitCodes } from '../exit-codes.js';

let database: TestDatabase;
let dataSource: DataSource;
let folder: string;
let vaults: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-doctor-'));
  vaults = ['DFW', 'IAD'].map((region) => `${region}=objects://${join(folder, region)}`).join(',');
  await Promise.all(['DFW', 'IAD'].map((region) => mkdir(join(folder, region))));
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'doctor-spec' }));
});
afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

function examined(only: string, env: Record<string, string> = {}) {
  return examine(only, { STRONGROOM_DATABASE_URL: database.url, STRONGROOM_VAULTS: vaults, ...env }, folder);
}
/** A vault in a folder keeps the empty folders of what was removed. */
async function filesThere(): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((each) => each.isFile()).map(({ name }) => name);
}

describe('strongroom doctor', () => {
  it('says that the schema lacks migrations, and by which command they are made', async () => {
    const migrations = async () => {
      const { findings } = await examined('database');
      return findings.find(({ check }) => check === 'migrations');
    };
    expect(await migrations()).toMatchObject({ result: 'ok', next: null });
    await dataSource.query(`update schema_migration set name = 'x' || name where name like 'ExpectedSeals%'`);
    expect(await migrations()).toMatchObject({ result: 'failed', next: 'Run: strongroom migrate' });
    await dataSource.query(`update schema_migration set name = substr(name, 2) where name like 'xExpectedSeals%'`);
  });

  it('says that the database may lose what it has acknowledged', async () => {
    const { code, findings } = await examined('database');
    expect(code).toBe(exitCodes.failed);
    // The servers of tests keep nothing over a crash.
    expect(findings.find(({ check }) => check === 'fsync')).toMatchObject({
      result: 'failed',
      says: expect.stringContaining('can be lost in a crash'),
      next: expect.any(String),
    });
  });

  it('tries what the vaults keep, leaves nothing there, and gives no store the identity of a vault', async () => {
    const before = await filesThere();
    const { code, findings } = await examined('vaults', { STRONGROOM_RECIPIENTS: 'none' });
    expect(code).toBe(exitCodes.done);
    expect(findings.filter(({ about }) => about === 'IAD')).toMatchObject([
      { check: 'reach', result: 'ok' },
      { check: 'identity', result: 'warning' },
      { check: 'conditional put', result: 'ok' },
      { check: 'lock', result: 'ok' },
    ]);
    expect(await filesThere()).toEqual(before);
  });

  it('says that another vault is in the place of the one that a region has had, or that a region has none', async () => {
    const urls = new Map([['DFW', new URL(`objects://${join(folder, 'DFW')}`)]]);
    await openVaults(urls).of('DFW').identify(new KnownVaults(dataSource));
    expect((await examined('vaults', { STRONGROOM_RECIPIENTS: 'none' })).code).toBe(exitCodes.done);
    await dataSource.query('update known_vault set vault_id = gen_random_uuid()');
    const { code, findings } = await examined('vaults');
    expect(code).toBe(exitCodes.failed);
    expect(findings).toContainEqual(
      expect.objectContaining({ about: 'DFW', result: 'failed', says: expect.stringContaining('another vault') }),
    );
    await dataSource.query('delete from known_vault');
    const gone = { STRONGROOM_VAULTS: `DFW=objects://${join(folder, 'nowhere')}` };
    expect((await examined('vaults', gone)).findings[0]).toMatchObject({ result: 'failed', next: expect.any(String) });
  });

  it('ends with 3 for what it could not look at, says what would let it, and tells of the rest', async () => {
    const { code, findings } = await examined('kafka,instances,vaults', { STRONGROOM_RECIPIENTS: 'none' });
    expect(code).toBe(exitCodes.incomplete);
    const open = findings.filter(({ result }) => result === 'unchecked');
    expect(open).toMatchObject([
      { part: 'kafka', next: expect.stringContaining('KAFKA_') },
      { part: 'instances', next: 'Run: strongroom login' },
    ]);
    const away = await examined('kafka,database', {
      KAFKA_BROKERS: '127.0.0.1:1',
      STRONGROOM_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    });
    expect(away.code).toBe(exitCodes.failed);
    expect(away.findings).toMatchObject([
      { part: 'database', result: 'failed' },
      { part: 'kafka', result: 'failed' },
    ]);
    const wrong = await runStrongroom(['doctor', '--only', 'moon'], { HOME: folder }, folder);
    expect(wrong.code).toBe(exitCodes.usage);
  });
});

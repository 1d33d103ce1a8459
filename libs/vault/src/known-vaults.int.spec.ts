import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, KnownVaults } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { storeSample } from '../fixtures/sample-backup.js';
import { openVaults, type Vaults } from './vaults.js';

let database: TestDatabase;
let dataSource: DataSource;
let folder: string;
const log = createLogger({ app: 'spec', level: 'silent' });

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'vaults-spec', entities: [] }));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  await dataSource.query('delete from known_vault');
  folder = await mkdtemp(join(tmpdir(), 'strongroom-known-'));
  for (const name of ['DFW', 'IAD']) await mkdir(join(folder, name));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Identifies the vaults as a service does when it starts. */
async function started(regions: Record<string, string> = { DFW: 'DFW', IAD: 'IAD' }): Promise<Vaults> {
  const urls = Object.entries(regions).map(([region, name]) => [region, pathToFileURL(join(folder, name))] as const);
  const vaults = openVaults(new Map(urls));
  await vaults.identify(log, new KnownVaults(dataSource));
  return vaults;
}

describe('a vault that the ledger knows', () => {
  it('is away after a restart while its disk is not mounted, and itself again when it is', async () => {
    const { backupId } = await storeSample((await started()).of('IAD'));
    await rename(join(folder, 'IAD'), join(folder, 'mounted'));
    await mkdir(join(folder, 'IAD'));
    const vault = (await started()).of('IAD');
    const away = { code: 'vault-unavailable', region: 'IAD' };
    await expect(storeSample(vault)).rejects.toMatchObject(away);
    await expect(vault.manifest(backupId)).rejects.toMatchObject(away);
    expect(await readdir(join(folder, 'IAD'))).toEqual([]);
    await rm(join(folder, 'IAD'), { recursive: true });
    await rename(join(folder, 'mounted'), join(folder, 'IAD'));
    await expect(vault.verify(backupId)).resolves.toBeDefined();
    await storeSample(vault);
  });

  it('is replaced by a new one when somebody says that it is lost', async () => {
    await started();
    await rm(join(folder, 'IAD'), { recursive: true });
    await mkdir(join(folder, 'IAD'));
    await dataSource.query("delete from known_vault where region = 'IAD'");
    await storeSample((await started()).of('IAD'));
  });

  it('can not be another region’s for a service that does not have the first', async () => {
    await started({ DFW: 'DFW' });
    await dataSource.query("update known_vault set region = 'ORD' where region = 'DFW'");
    await expect(started({ DFW: 'DFW' })).rejects.toMatchObject({ code: 'vault-misconfigured', region: 'DFW' });
    await expect(started({ DFW: 'DFW' })).rejects.toThrow('and that of ORD are one and the same');
  });

  it('gets one identity from all services that start at once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => started()));
    expect(await dataSource.query('select count(*)::int as known from known_vault')).toEqual([{ known: 2 }]);
  });
});

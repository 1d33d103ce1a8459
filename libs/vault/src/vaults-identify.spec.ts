import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '@strongroom/runtime';
import { eventually } from '../../../test/services/eventually.js';
import { HangingVault } from '../../../test/vaults/hanging-vault.js';
import { storeSample } from '../fixtures/sample-backup.js';
import type { VaultIdentity, VaultMemory } from './vault.js';
import { openVaults, Vaults } from './vaults.js';

describe('the vaults of a service that starts', () => {
  let folder: string;
  const told: string[] = [];
  const log = createLogger({ app: 'spec', level: 'info', to: { write: (line) => void told.push(line) } });
  const open = (...regions: [region: string, name: string][]): Vaults =>
    openVaults(new Map(regions.map(([region, name]) => [region, pathToFileURL(join(folder, name))])));
  const markerOf = async (name: string) => JSON.parse(await readFile(join(folder, name, 'vault.json'), 'utf8'));

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-identity-'));
    for (const name of ['DFW', 'IAD']) await mkdir(join(folder, name));
    told.length = 0;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('say who they are in a file that is made once, and warn when they share a disk', async () => {
    await open(['DFW', 'DFW'], ['IAD', 'IAD']).identify(log);
    const marker = await markerOf('DFW');
    expect(marker).toEqual({ vaultId: expect.any(String), region: 'DFW', createdAt: expect.any(String) });
    expect(told.join('')).toContain('the vault of IAD is on one file system with that of DFW');
    await open(['DFW', 'DFW'], ['IAD', 'IAD']).identify(log);
    expect(await markerOf('DFW')).toEqual(marker);
    expect((await readdir(join(folder, 'DFW'))).sort()).toEqual(['.spare', 'vault.json']);
  });

  it('agree though many processes make the file at once', async () => {
    const many = Array.from({ length: 8 }, () => open(['DFW', 'DFW']));
    const found = await Promise.all(many.map((vaults) => vaults.of('DFW').identify()));
    expect(new Set(found.map((each) => each?.vaultId)).size).toBe(1);
    expect((await readdir(join(folder, 'DFW'))).sort()).toEqual(['.spare', 'vault.json']);
  });

  it.each([
    ['one folder', async () => {}, 'DFW'],
    ['a symbolic link', () => symlink(join(folder, 'DFW'), join(folder, 'link')), 'link'],
  ])('are refused when two regions are %s, saying what to do', async (_, make, name) => {
    await make();
    const identified = open(['DFW', 'DFW'], ['IAD', name]).identify(log);
    await expect(identified).rejects.toMatchObject({ code: 'vault-misconfigured', region: 'IAD', retryable: false });
    await expect(identified).rejects.toThrow(/is the vault of DFW .* Give each region a folder of its own/);
  });

  it('are refused when one is a copy of the other under another name', async () => {
    await open(['DFW', 'DFW']).identify(log);
    await cp(join(folder, 'DFW'), join(folder, 'IAD'), { recursive: true });
    await writeFile(join(folder, 'IAD', 'vault.json'), JSON.stringify({ ...(await markerOf('DFW')), region: 'IAD' }));
    const identified = open(['DFW', 'DFW'], ['IAD', 'IAD']).identify(log);
    await expect(identified).rejects.toMatchObject({ code: 'vault-misconfigured', region: 'IAD' });
  });

  it('let the service start when one is away, and check that one when it is back, before any write', async () => {
    await open(['DFW', 'DFW']).identify(log);
    await rename(join(folder, 'IAD'), join(folder, 'IAD.away'));
    const vaults = open(['DFW', 'DFW'], ['IAD', 'IAD']);
    await vaults.identify(log);
    expect(told.join('')).toContain('the vault of IAD is away');
    await storeSample(vaults.of('DFW'));
    // What comes back is not the vault that was there.
    await symlink(join(folder, 'DFW'), join(folder, 'IAD'));
    const before = await readdir(join(folder, 'DFW', 'backups'));
    const misconfigured = { code: 'vault-misconfigured', region: 'IAD' };
    await expect(vaults.of('IAD').begin(randomUUID(), 1)).rejects.toMatchObject(misconfigured);
    await expect(vaults.of('IAD').purge(randomUUID(), 1)).rejects.toMatchObject(misconfigured);
    expect(await readdir(join(folder, 'DFW', 'backups'))).toEqual(before);
    await rm(join(folder, 'IAD'));
    await rename(join(folder, 'IAD.away'), join(folder, 'IAD'));
    await storeSample(vaults.of('IAD'));
    expect(await markerOf('IAD')).toMatchObject({ region: 'IAD' });
  });

  it('that are known keep no service from starting, whatever is in the place of one', async () => {
    const ids = new Map<string, string>();
    const memory: VaultMemory = {
      vaultIdOf: async (region) => ids.get(region),
      remember: async ({ region, vaultId }) => {
        ids.set(region, vaultId);
        return [{ region, vaultId }];
      },
    };
    await open(['DFW', 'DFW'], ['IAD', 'IAD']).identify(log, memory);
    const marker = await markerOf('IAD');
    for (const other of ['no JSON', '{}', JSON.stringify({ ...marker, region: 'ORD' }), '['.repeat(100_000)]) {
      await writeFile(join(folder, 'IAD', 'vault.json'), other);
      const vaults = open(['DFW', 'DFW'], ['IAD', 'IAD']);
      await vaults.identify(log, memory);
      await storeSample(vaults.of('DFW'));
      await expect(storeSample(vaults.of('IAD'))).rejects.toMatchObject({ code: 'vault-unavailable', region: 'IAD' });
    }
    await writeFile(join(folder, 'IAD', 'vault.json'), JSON.stringify(marker));
    await storeSample(open(['DFW', 'DFW'], ['IAD', 'IAD']).of('IAD'));
  });

  it('that are known are read at once: one that hangs holds up no other', async () => {
    const known = new Map<string, string>();
    const memory: VaultMemory = {
      vaultIdOf: async (region) => known.get(region),
      remember: async ({ region, vaultId }) => {
        known.set(region, vaultId);
        return [];
      },
    };
    const regions: [string, string][] = ['DFW', 'IAD', 'ORD'].map((region) => [region, region]);
    await mkdir(join(folder, 'ORD'));
    await open(...regions).identify(log, memory);
    const real = open(...regions);
    const hanging = ['DFW', 'IAD'].map((region) => new HangingVault(real.of(region), ['identify']));
    const vaults = new Vaults(new Map([...hanging, real.of('ORD')].map((vault) => [vault.region, vault])));
    told.length = 0;
    const identified = new Set<string>();
    const remember: VaultMemory['remember'] = async (identity) => {
      identified.add(identity.region);
      return memory.remember(identity);
    };
    const starting = vaults.identify(log, { ...memory, remember });
    await eventually(
      () => {
        expect(hanging.map((vault) => vault.hanging)).toEqual([1, 1]);
        expect([...identified]).toEqual(['ORD']);
      },
      { withinMs: 30_000 },
    );
    expect(told.join('')).not.toContain('is away');
    for (const vault of hanging) vault.comeBack();
    await starting;
    expect([...identified].sort()).toEqual(['DFW', 'IAD', 'ORD']);
  });

  it('are known again after a restart: an empty folder where a vault was is a disk that is not mounted', async () => {
    const known = new Map<string, VaultIdentity>();
    const memory: VaultMemory = {
      vaultIdOf: async (region) => known.get(region)?.vaultId,
      remember: async (identity) => {
        if (!known.has(identity.region)) known.set(identity.region, identity);
        return [...known.values()].filter(
          ({ region, vaultId }) => region === identity.region || vaultId === identity.vaultId,
        );
      },
    };
    await open(['DFW', 'DFW'], ['IAD', 'IAD']).identify(log, memory);
    await rm(join(folder, 'IAD'), { recursive: true });
    await mkdir(join(folder, 'IAD'));
    const vaults = open(['DFW', 'DFW'], ['IAD', 'IAD']);
    await vaults.identify(log, memory);
    const away = { code: 'vault-unavailable', region: 'IAD' };
    await expect(vaults.of('IAD').begin(randomUUID(), 1)).rejects.toMatchObject(away);
    await expect(vaults.of('IAD').begin(randomUUID(), 1)).rejects.toThrow(/See that its disk is mounted, and no other/);
    expect(await readdir(join(folder, 'IAD'))).toEqual([]);
  });
});

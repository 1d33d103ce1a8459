import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, open, readdir, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chunksOf, storeSample } from '../../fixtures/sample-backup.js';
import { type VaultScene, vaultContract } from '../vault.contract.js';
import { DirectoryVault } from './directory-vault.js';
import { VaultRoot } from './vault-root.js';

vaultContract('directory', directoryScene);

describe('a directory vault', () => {
  let folder: string;
  let vault: DirectoryVault;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-vault-'));
    vault = new DirectoryVault('DFW', folder);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('lies as documented: backups by the end of their id, attempts apart, closed to other users', async () => {
    const { backupId } = await storeSample(vault);
    const location = `backups/${backupId.slice(-2)}/${backupId}`;
    expect(vault.locationOf(backupId)).toBe(location);
    expect((await readdir(join(folder, location))).sort()).toEqual([
      'backup_manifest.zst',
      'base.tar.zst',
      'empty.zst',
      'manifest.json',
    ]);
    expect((await stat(join(folder, location))).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, location, 'base.tar.zst'))).mode & 0o777).toBe(0o600);
    const other = randomUUID();
    await vault.begin(other, 3);
    expect(await readdir(join(folder, 'partial'))).toEqual([`${other}.3`]);
  });

  it('is never made where its folder is missing: a disk that is not mounted is no empty vault', async () => {
    const upload = await vault.begin(randomUUID(), 1);
    await upload.put('base.tar.zst', chunksOf(randomBytes(10)));
    await rm(folder, { recursive: true });
    await expect(upload.seal(randomBytes(10))).rejects.toMatchObject({ code: 'vault-unavailable' });
    await expect(vault.begin(randomUUID(), 1)).rejects.toThrow(`its folder ${folder} is not there. Mount its disk`);
    await expect(vault.probe()).rejects.toMatchObject({ code: 'vault-unavailable' });
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('whose path is no folder says so', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await expect(new DirectoryVault('DFW', file).probe()).rejects.toMatchObject({ code: 'vault-unavailable' });
  });

  it('that is full says so, and what to do', async () => {
    // A device on which every write fails as on a full disk.
    const full = await open('/dev/full', 'w');
    const doing = new VaultRoot('DFW', folder).doing('write base.tar.zst', () => full.write(randomBytes(10)));
    await expect(doing).rejects.toMatchObject({ code: 'vault-full', retryable: true, region: 'DFW' });
    await expect(doing).rejects.toThrow(/DFW .* is full: it could not write base\.tar\.zst\. Make room/);
    await full.close();
  });
});

async function directoryScene(region: string): Promise<VaultScene> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-vault-'));
  const root = join(folder, 'root');
  await new VaultRoot(region, folder).makeFolder('root');
  const vault = new DirectoryVault(region, root);
  const path = (backupId: string, name: string) => join(root, vault.locationOf(backupId), name);
  return {
    vault,
    async alter(backupId, name) {
      const file = await open(path(backupId, name), 'r+');
      const byte = Buffer.alloc(1);
      await file.read(byte, 0, 1, 40);
      byte[0] = (byte[0] ?? 0) ^ 1;
      await file.write(byte, 0, 1, 40);
      await file.close();
    },
    truncate: async (backupId, name) =>
      truncate(path(backupId, name), Math.floor((await stat(path(backupId, name))).size / 2)),
    lose: (backupId, name) => rm(path(backupId, name)),
    addStranger: (backupId) => writeFile(path(backupId, 'stranger'), ''),
    async breakEmpty(backupId) {
      // Like an empty file, but for reading it: the first page of a process can't be read.
      await rm(path(backupId, 'empty.zst'));
      await symlink('/proc/self/mem', path(backupId, 'empty.zst'));
    },
    leftovers: () => readdir(join(root, 'partial')).catch(() => []),
    takeAway: () => rename(root, `${root}.away`),
    bringBack: () => rename(`${root}.away`, root),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

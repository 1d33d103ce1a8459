import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { gatedVault } from '../../../../test/vaults/gated-files.js';
import { unsealedPlaces } from '../../../../test/vaults/unsealed-places.js';
import { directoryScene } from '../../fixtures/directory-scene.js';
import { chunksOf, listOf, type SampleBackup, storeSample } from '../../fixtures/sample-backup.js';
import { vaultContract } from '../vault.contract.js';
import { watched } from '../watched-vault.js';
import { DirectoryVault } from './directory-vault.js';
import { VaultFiles } from './vault-files.js';
import { VaultRoot } from './vault-root.js';

vaultContract('directory', directoryScene);
vaultContract('watched directory', async (region) => {
  const scene = await directoryScene(region);
  return { ...scene, vault: watched(scene.vault) };
});

describe('a directory vault', () => {
  let folder: string;
  let vault: DirectoryVault;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-vault-'));
    vault = new DirectoryVault('DFW', folder);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('lies as documented: each attempt has a folder, a state that cat can read says which counts, and other users may read nothing', async () => {
    const { backupId, manifestBytes } = await storeSample(vault);
    const ofBackup = `backups/${backupId.slice(-2)}/${backupId}`;
    const location = `${ofBackup}/1.1`;
    expect(await vault.locationOf(backupId)).toBe(location);
    expect((await readdir(join(folder, ofBackup))).sort()).toEqual(['1.1', 'state.000000000002']);
    expect(JSON.parse(await readFile(join(folder, ofBackup, 'state.000000000002'), 'utf8'))).toEqual({
      format: 'strongroom-state/1',
      change: expect.any(String),
      attempt: 1,
      sealed: { attempt: 1, place: '1.1', manifestSha256: createHash('sha256').update(manifestBytes).digest('hex') },
    });
    expect((await readdir(join(folder, location))).sort()).toEqual([
      'backup_manifest.zst',
      'base.tar.zst',
      'empty.zst',
      'manifest.json',
    ]);
    expect((await stat(join(folder, location))).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, location, 'base.tar.zst'))).mode & 0o777).toBe(0o600);
    await vault.begin(backupId, 3);
    expect((await readdir(join(folder, ofBackup))).sort()).toEqual(['1.1', '3.3', 'state.000000000003']);
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

  it('whose manifest was written anew is not what was sealed, though all in it is true', async () => {
    const { backupId, manifestBytes } = await storeSample(vault);
    const path = join(folder, (await vault.locationOf(backupId)) ?? '', 'manifest.json');
    await writeFile(path, manifestBytes.toString('utf8').replace('"orders"', '"others"'));
    await expect(vault.manifest(backupId)).rejects.toMatchObject({ code: 'object-altered' });
    await expect(vault.verify(backupId)).rejects.toThrow('its manifest.json is not the one that was sealed');
    expect(await listOf(vault)).toMatchObject([{ backupId, fault: { code: 'object-altered' } }]);
  });

  it.each(['EIO', 'EEXIST', 'ETIMEDOUT'])(
    'takes a change of a state for made that is there, though its file system answered %s',
    async (fails) => {
      const looked = gatedVault('DFW', folder);
      await storeSample(looked.vault);
      const links = [...looked.files.begun.entries()].filter(([, operation]) => operation.startsWith('link '));
      expect(links).toHaveLength(2);
      for (const [at] of links) {
        const troubled = gatedVault('DFW', folder, { at, when: 'after', fails });
        const { backupId, manifestBytes } = await storeSample(troubled.vault);
        await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: manifestBytes });
      }
    },
  );

  describe('whose disk goes away, so that its folder is an empty one,', () => {
    let root: string;
    const unmount = async () => {
      await rename(root, `${root}.away`);
      await mkdir(root);
    };
    beforeEach(async () => {
      root = join(folder, 'root');
      await mkdir(root);
    });

    it('says that to a writer, and not that another attempt has begun', async () => {
      const mounted = new DirectoryVault('DFW', root);
      await mounted.identify();
      const upload = await mounted.begin(randomUUID(), 1);
      await upload.put('base.tar.zst', chunksOf(randomBytes(10)));
      await unmount();
      await expect(upload.put('more.zst', chunksOf(randomBytes(10)))).rejects.toMatchObject({
        code: 'vault-unavailable',
      });
      await expect(upload.seal(randomBytes(10))).rejects.toMatchObject({ code: 'vault-unavailable' });
    });

    it('says that to a reader, and not that an object is missing', async () => {
      const looked = gatedVault('DFW', root);
      await looked.vault.identify();
      const { backupId } = await storeSample(looked.vault);
      const before = looked.files.begun.length;
      await buffer(looked.vault.read(backupId, 'base.tar.zst'));
      const at = looked.files.begun.slice(before).findIndex((begun) => begun.endsWith('base.tar.zst'));
      const plain = gatedVault('DFW', root);
      await plain.vault.identify();
      const of = plain.files.begun.length;
      let go = () => {};
      const until = new Promise<void>((resolve) => {
        go = resolve;
      });
      const frozen = gatedVault('DFW', root, { at: of + at, when: 'before', until });
      await frozen.vault.identify();
      const reading = buffer(frozen.vault.read(backupId, 'base.tar.zst'));
      await frozen.files.reached;
      await unmount();
      go();
      await expect(reading).rejects.toMatchObject({ code: 'vault-unavailable' });
    });
  });

  describe('in which the state of a backup is damaged', () => {
    let sample: SampleBackup;
    beforeEach(async () => {
      sample = await storeSample(vault);
      const of = join(folder, 'backups', sample.backupId.slice(-2), sample.backupId);
      await truncate(join(of, 'state.000000000002'), 40);
    });

    it('says so of that backup, and goes on with the others', async () => {
      const { backupId } = sample;
      await expect(vault.manifest(backupId)).rejects.toMatchObject({ code: 'manifest-invalid' });
      await expect(vault.verify(backupId)).rejects.toThrow(`The state of backup ${backupId} in the vault of DFW`);
      const beside = (await storeSample(vault, { backupId: `${randomUUID().slice(0, -2)}${backupId.slice(-2)}` }))
        .backupId;
      const held: string[] = [];
      for await (const each of vault.held(Number.parseInt(backupId.slice(-2), 16))) {
        held.push(each.backupId);
        expect(each.fault?.code).toBe(each.backupId === backupId ? 'manifest-invalid' : undefined);
      }
      expect(held.sort()).toEqual([backupId, beside].sort());
    });

    it('has it back with the next attempt, where it lies when it is whole', async () => {
      const { backupId, manifestBytes } = sample;
      await (await vault.begin(backupId, 2)).discard();
      const location = `backups/${backupId.slice(-2)}/${backupId}/1.1`;
      await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: manifestBytes, location });
    });

    it('removes it when it is told to', async () => {
      await expect(vault.purge(sample.backupId, 1)).resolves.toMatchObject({ places: 1 });
      await expect(vault.manifest(sample.backupId)).resolves.toBeUndefined();
      await expect(vault.begin(sample.backupId, 1)).rejects.toMatchObject({ code: 'upload-superseded' });
    });
  });

  it('whose path is no folder says so', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await expect(new DirectoryVault('DFW', file).probe()).rejects.toMatchObject({ code: 'vault-unavailable' });
  });

  it.each(['create', 'write'])('that is full has room to remove a backup (it fails to %s)', async (operation) => {
    await vault.identify();
    const looked = gatedVault('DFW', folder);
    await looked.vault.purge((await storeSample(vault)).backupId, 1);
    const at = looked.files.begun.findIndex((begun) => begun.startsWith(`${operation} `) && begun.includes('.state.'));
    const { backupId } = await storeSample(vault);
    const full = gatedVault('DFW', folder, { at, when: 'before', fails: 'ENOSPC' });
    await expect(full.vault.purge(backupId, 1)).resolves.toMatchObject({ places: 1 });
    expect(full.files.begun).toContain('unlink .spare');
    expect(await vault.manifest(backupId)).toBeUndefined();
    expect(await readdir(folder)).toContain('.spare');
  });

  it('that is full has room to remove what is not there, and keeps some for the next time', async () => {
    await vault.identify();
    const full = new DirectoryVault('DFW', folder, new VaultRoot('DFW', folder, new FullDisk(folder)));
    await expect(full.purge(randomUUID(), 3)).resolves.toEqual({ places: 0, bytes: 0 });
    expect(await readdir(folder)).toContain('.spare');
  });

  it('that is full when a process begins can be read, and has room to remove a backup', async () => {
    await vault.identify();
    const { backupId } = await storeSample(vault);
    const full = new DirectoryVault('DFW', folder, new VaultRoot('DFW', folder, new FullDisk(folder)));
    await expect(full.identify()).resolves.toMatchObject({ region: 'DFW' });
    await expect(full.verify(backupId)).resolves.toBeDefined();
    await expect(full.purge(backupId, 1)).resolves.toMatchObject({ places: 1 });
    expect(await readdir(folder)).toContain('.spare');
  });

  it('that is full and has no identity yet gets none, and says that it is full', async () => {
    const files = new FullDisk(folder);
    files.isFull = true;
    const full = new DirectoryVault('DFW', folder, new VaultRoot('DFW', folder, files));
    await expect(full.identify()).rejects.toMatchObject({ code: 'vault-full' });
  });

  it('that is full has room to tidy up, and keeps some for the next time', async () => {
    await vault.identify();
    const { backupId } = await storeSample(vault);
    const location = (await vault.locationOf(backupId)) ?? '';
    await (await vault.begin(backupId, 2)).put('base.tar.zst', chunksOf(randomBytes(10)));
    const full = new DirectoryVault('DFW', folder, new VaultRoot('DFW', folder, new FullDisk(folder)));
    const later = new Date(Date.now() + 60_000);
    await expect(full.tidy(backupId, { attempt: 2, location }, later)).resolves.toMatchObject({ places: 1 });
    expect(await readdir(folder)).toContain('.spare');
  });

  it('that a lost attempt has filled lets the next attempt begin, and gives it that room', async () => {
    await vault.identify();
    const backupId = randomUUID();
    await (await vault.begin(backupId, 1)).put('base.tar.zst', chunksOf(randomBytes(10)));
    const full = new DirectoryVault('DFW', folder, new VaultRoot('DFW', folder, new FullDisk(folder)));
    await full.begin(backupId, 2);
    expect(await unsealedPlaces(folder, vault)).toEqual([expect.stringMatching(/\/2\.\d+$/)]);
    await expect(full.begin(randomUUID(), 1)).rejects.toMatchObject({ code: 'vault-full' });
    expect(await readdir(folder)).toContain('.spare');
  });

  it('that had no room to set aside tries again', async () => {
    const files = new FullDisk(folder);
    const root = new VaultRoot('DFW', folder, files);
    files.isFull = true;
    await root.keepRoom();
    files.isFull = false;
    await root.keepRoom();
    expect((await stat(join(folder, '.spare'))).size).toBe(65_536);
  });

  it('that is full says so, and what to do', async () => {
    // On this device every write fails as on a full disk.
    const full = await open('/dev/full', 'w');
    const doing = new VaultRoot('DFW', folder).doing('write base.tar.zst', () => full.write(randomBytes(10)));
    await expect(doing).rejects.toMatchObject({ code: 'vault-full', retryable: true, region: 'DFW' });
    await expect(doing).rejects.toThrow(/DFW .* is full: it could not write base\.tar\.zst\. Make room/);
    await full.close();
  });
});

/** A disk that is full until the room that was set aside is given up, and has that much room then. */
class FullDisk extends VaultFiles {
  isFull: boolean | undefined;

  constructor(private readonly root: string) {
    super();
  }

  protected override async step<T>(operation: string, path: string, perform: () => Promise<T>): Promise<T> {
    const spare = join(this.root, '.spare');
    const isFull = this.isFull ?? (path !== spare && existsSync(spare));
    if (isFull && ['mkdir', 'write'].includes(operation) && !existsSync(`${path}/`)) {
      throw Object.assign(new Error('ENOSPC: made up'), { code: 'ENOSPC' });
    }
    return perform();
  }
}

import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { putSample, type SampleBackup, storeSample } from '../fixtures/sample-backup.js';
import { copyBackup } from './copy-backup.js';
import { DirectoryStore } from './directory/directory-store.js';
import { DirectoryVault } from './directory/directory-vault.js';
import { VaultFiles } from './directory/vault-files.js';
import { VaultRoot } from './directory/vault-root.js';
import { ObjectVault } from './object/object-vault.js';
import { FolderUpgrade } from './upgrade-folder.js';
import type { VaultIdentity, VaultMemory } from './vault.js';
import { VaultFault } from './vault-fault.js';

const { signal } = new AbortController();
const pieceBytes = 100_000;

/** Files of a process that is killed after so many steps: nothing is done any more. */
class MortalFiles extends VaultFiles {
  constructor(private left: number) {
    super();
  }

  get isDead(): boolean {
    return this.left < 0;
  }

  protected override step<T>(operation: string, path: string, perform: () => Promise<T>): Promise<T> {
    this.left -= 1;
    return this.left < 0 ? Promise.reject(new Error('killed')) : super.step(operation, path, perform);
  }
}

/** A service that has seen the vault before. */
class Remembering implements VaultMemory {
  constructor(private readonly vaultId: string) {}
  vaultIdOf = async () => this.vaultId;
  remember = async ({ region, vaultId }: VaultIdentity) => [{ region, vaultId }];
}

describe('a vault of a folder that is moved into the layout of objects', () => {
  let folder: string;
  let root: string;
  let before: DirectoryVault;
  let vaultId: string;
  let sealed: { sample: SampleBackup; location: string | undefined }[];
  let gone: string;

  const objects = () => new ObjectVault('DFW', new DirectoryStore(new VaultRoot('DFW', root)), pieceBytes);
  const upgrade = (files = new VaultFiles()) => new FolderUpgrade(new VaultRoot('DFW', root, files));

  async function fill(): Promise<void> {
    root = join(folder, randomUUID());
    await mkdir(root);
    before = new DirectoryVault('DFW', root);
    vaultId = (await before.identify())?.vaultId ?? '';
    sealed = [];
    for (const attempt of [1, 3]) {
      const sample = await storeSample(before, { attempt });
      sealed.push({ sample, location: await before.locationOf(sample.backupId) });
    }
    const { backupId } = await storeSample(before);
    await before.purge(backupId, 1);
    gone = backupId;
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-upgrade-'));
    await fill();
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function expectWhole(): Promise<void> {
    const vault = objects();
    expect(await vault.identify(new Remembering(vaultId))).toMatchObject({ vaultId, region: 'DFW' });
    for (const { sample, location } of sealed) {
      const found = await vault.verify(sample.backupId);
      expect(found.location).toBe(location);
      expect(found.bytes.equals(sample.manifestBytes)).toBe(true);
      for (const [name, bytes] of sample.objects)
        expect([name, (await buffer(vault.read(sample.backupId, name))).equals(bytes)]).toEqual([name, true]);
      await expect(vault.begin(sample.backupId, 0)).rejects.toMatchObject({ code: 'upload-superseded' });
    }
    await expect(vault.begin(gone, 1)).rejects.toMatchObject({ code: 'upload-superseded' });
    const names = await readdir(root, { recursive: true });
    const old = names.filter((name) => /state\.\d{12}$|\.zst$|moving/.test(name));
    expect(old).toEqual([]);
  }

  it('keeps its identity, every backup where the ledger has it, and what is known of those that are gone', async () => {
    const plan = await upgrade().plan();
    expect(plan).toMatchObject({ backups: 2, withoutPlace: [], isDone: false });
    const names = (await readdir(root, { recursive: true })).sort();
    let bytes = 0;
    const moved: string[] = [];
    await upgrade().run({
      signal,
      pieceBytes,
      progress: (more) => {
        bytes += more;
      },
      moved: (backupId) => moved.push(backupId),
    });
    // The plan has changed nothing. What is told of the progress is what was written and what was compared.
    expect(names).not.toContain('.moving');
    expect(bytes).toBe(2 * 2 * 301_000);
    expect(moved).toHaveLength(3);
    await expectWhole();
    expect(await upgrade().plan()).toMatchObject({ backups: 0, isDone: true });
    await upgrade().run({ signal });
    await expectWhole();
  });

  it('comes right wherever it is killed, when it is called again', async () => {
    let kills = 0;
    for (let steps = 1; ; steps += 1 + Math.floor(Math.random() * 200)) {
      const files = new MortalFiles(steps);
      await upgrade(files)
        .run({ signal, pieceBytes })
        .catch(() => {});
      const [{ sample, location }] = sealed as [(typeof sealed)[0]];
      if (!files.isDead) break;
      kills += 1;
      await upgrade().run({ signal, pieceBytes });
      await expectWhole();
      expect(location).toBe(await objects().locationOf(sample.backupId));
      await fill();
    }
    expect(kills).toBeGreaterThan(3);
  }, 120_000);

  it('goes on through ten kills in a row', async () => {
    for (let kill = 0; kill < 10; kill += 1) {
      await upgrade(new MortalFiles(300 + Math.floor(Math.random() * 400)))
        .run({ signal, pieceBytes })
        .catch(() => {});
    }
    await upgrade().run({ signal, pieceBytes });
    await expectWhole();
  });

  it('is no vault for a service until it is whole, and a late upload seals nothing', async () => {
    const service = new DirectoryVault('DFW', root);
    await service.identify(new Remembering(vaultId));
    const backupId = randomUUID();
    const [upload, manifest] = await putSample(service, backupId, 1);
    await upgrade(new MortalFiles(400))
      .run({ signal, pieceBytes })
      .catch(() => {});
    await expect(service.begin(randomUUID(), 1)).rejects.toMatchObject({ code: 'vault-unavailable' });
    await expect(service.manifest(randomUUID())).rejects.toMatchObject({ code: 'vault-unavailable' });
    await upgrade().run({ signal, pieceBytes });
    await expectWhole();
    await expect(upload.seal(manifest)).rejects.toBeInstanceOf(VaultFault);
    expect(await objects().manifest(backupId)).toBeUndefined();
    // An address that was left as it was does not make an empty vault of it.
    await expect(service.manifest(backupId)).rejects.toMatchObject({
      code: 'vault-unavailable',
      message: expect.stringContaining('objects://'),
    });
    await expect(new DirectoryVault('DFW', root).identify()).rejects.toMatchObject({ code: 'vault-misconfigured' });
  });

  it('is not read as objects before it is moved', async () => {
    await expect(objects().identify()).rejects.toMatchObject({
      code: 'vault-misconfigured',
      message: expect.stringContaining('strongroom vault upgrade DFW'),
    });
  });

  it('stays as it is from a backup on that is not what was stored, and loses nothing', async () => {
    const [first] = sealed.sort((one, other) => shardOf(one) - shardOf(other));
    const file = join(root, first?.location ?? '', 'base.tar.zst');
    const bytes = await readFile(file);
    await writeFile(file, randomBytes(bytes.length));
    await expect(upgrade().run({ signal, pieceBytes })).rejects.toMatchObject({ code: 'object-altered' });
    const aside = join(root, '.moving', first?.sample.backupId ?? '');
    expect(await readdir(aside)).toContain('base.tar.zst');
    await writeFile(join(aside, 'base.tar.zst'), bytes);
    await rm(join(root, first?.location ?? ''), { recursive: true });
    await upgrade().run({ signal, pieceBytes });
    await expectWhole();
  });

  it('takes segments of the newer format as they are', async () => {
    const source = join(folder, 'source');
    await mkdir(source);
    const from = new ObjectVault('IAD', new DirectoryStore(new VaultRoot('IAD', source)), pieceBytes);
    const sample = await storeSample(from);
    const expectedSha256 = (await from.manifest(sample.backupId))?.sha256 ?? '';
    await copyBackup({ from, to: before, backupId: sample.backupId, attempt: 1, expectedSha256, signal });
    sealed.push({ sample, location: await before.locationOf(sample.backupId) });
    await upgrade().run({ signal, pieceBytes });
    await expectWhole();
  });

  it('is refused with the backups that lie where an older version has put them', async () => {
    const [{ sample, location }] = sealed as [(typeof sealed)[0]];
    const inFolder = join(root, location ?? '');
    const own = join(inFolder, '..');
    await rename(inFolder, `${own}.old`);
    await rm(own, { recursive: true });
    await rename(`${own}.old`, own);
    await expect(upgrade().run({ signal })).rejects.toThrow(sample.backupId);
    expect(await before.verify(sample.backupId)).toBeDefined();
    expect(await readdir(root)).toContain('vault.json');
  });
});

function shardOf({ sample }: { sample: SampleBackup }): number {
  return Number.parseInt(sample.backupId.slice(-2), 16);
}

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '@strongroom/runtime';
import { type Lack, LackingFiles } from '../../../../test/vaults/lacking-files.js';
import { storeSample } from '../../fixtures/sample-backup.js';
import { Vaults } from '../vaults.js';
import { DirectoryVault } from './directory-vault.js';
import { VaultFiles } from './vault-files.js';
import { VaultRoot } from './vault-root.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-lacking-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const vaultOn = (lack: Lack) => new DirectoryVault('DFW', folder, new VaultRoot('DFW', folder, new LackingFiles(lack)));

describe('a vault on a file system that can not sync folders', () => {
  const refusals: Lack[] = [
    ...['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EACCES', 'EISDIR', 'EBADF', 'ENOSYS'].map((code) => ({
      syncFolder: code,
    })),
    ...['EISDIR', 'EACCES', 'EPERM'].map((code) => ({ openFolder: code })),
  ];

  it.each(refusals)('takes backups, removes them and proves them (%j)', async (lack) => {
    const vault = vaultOn(lack);
    await vault.identify();
    const { backupId } = await storeSample(vault);
    expect((await vault.verify(backupId)).manifest.backupId).toBe(backupId);
    await vault.purge(backupId, 1);
    expect(await vault.manifest(backupId)).toBeUndefined();
  });

  it('says so once, when it is opened', async () => {
    const told: string[] = [];
    const log = createLogger({ app: 'spec', level: 'info', to: { write: (line) => void told.push(line) } });
    const vaults = new Vaults(new Map([['DFW', vaultOn({ syncFolder: 'EINVAL' })]]));
    await vaults.identify(log);
    for (let count = 0; count < 2; count += 1) await storeSample(vaults.of('DFW'));
    expect(told.filter((line) => line.includes("can't sync folders"))).toHaveLength(1);
  });

  it.each([{ syncFolder: 'EIO' }, { sync: 'EIO' }, { sync: 'EINVAL' }])(
    'takes none when the disk fails, or when it can not sync the file itself (%j)',
    async (lack) => {
      await expect(storeSample(vaultOn(lack))).rejects.toMatchObject({ code: 'vault-unavailable' });
    },
  );
});

describe('a vault on a file system without what keeps attempts apart', () => {
  it.each([
    [{ link: 'EPERM' }, 'has no hard links (EPERM)'],
    [{ link: 'ENOTSUP' }, 'has no hard links (ENOTSUP)'],
    [{ linkReplaces: true }, 'gives a file a name that another file has already'],
    [{ createReplaces: true }, 'makes a file anew though it is there already'],
  ])('is refused by name when it is opened (%j)', async (lack, why) => {
    const vault = vaultOn(lack);
    const refused = { code: 'vault-misconfigured', message: expect.stringContaining(why) };
    await expect(vault.identify()).rejects.toMatchObject(refused);
    await expect(vault.begin('01a215ed-2e1e-7057-ba0a-a76da3483220', 1)).rejects.toMatchObject(refused);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('a vault on a file system that fails for a while', () => {
  it.each([
    ['create', 'EMFILE', 2],
    ['create', 'EIO', 2],
    ['link', 'EAGAIN', 1],
    ['link', 'ENFILE', 2],
  ])('is away, and not refused for what it lacks (%s: %s)', async (failing, code, at) => {
    class Failing extends VaultFiles {
      count = 0;
      protected override async step<T>(operation: string, _path: string, perform: () => Promise<T>): Promise<T> {
        if (operation === failing) this.count += 1;
        if (operation !== failing || this.count !== at) return perform();
        throw Object.assign(new Error(`${code}: made up`), { code });
      }
    }
    const vault = new DirectoryVault('DFW', folder, new VaultRoot('DFW', folder, new Failing()));
    await expect(vault.identify()).rejects.toMatchObject({ code: 'vault-unavailable' });
    expect(await vault.identify()).toMatchObject({ region: 'DFW' });
  });
});

describe('a vault whose folder is a file', () => {
  it('says so, and is not said to be missing', async () => {
    const path = join(folder, 'file');
    await writeFile(path, '');
    await expect(new DirectoryVault('DFW', path).identify()).rejects.toMatchObject({
      code: 'vault-unavailable',
      message: expect.stringContaining(`what lies at ${path} is no folder`),
    });
  });

  it('whose state can not be told is not said to be missing', async () => {
    class Closed extends VaultFiles {
      protected override async step<T>(): Promise<T> {
        throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
      }
    }
    const vault = new DirectoryVault('DFW', folder, new VaultRoot('DFW', folder, new Closed()));
    await expect(vault.identify()).rejects.toMatchObject({
      code: 'vault-unavailable',
      message: expect.stringContaining('EACCES: permission denied. See that its disk works'),
    });
  });
});

it('a backup is removed though somebody still reads it over a network file system, which keeps what is open', async () => {
  class OpenElsewhere extends VaultFiles {
    protected override async step<T>(operation: string, path: string, perform: () => Promise<T>): Promise<T> {
      if (operation !== 'unlink' || !basename(path).startsWith('.nfs')) return perform();
      throw Object.assign(new Error('EBUSY: made up'), { code: 'EBUSY' });
    }
  }
  const vault = new DirectoryVault('DFW', folder, new VaultRoot('DFW', folder, new OpenElsewhere()));
  const { backupId } = await storeSample(vault);
  const place = join(folder, (await vault.locationOf(backupId)) ?? '');
  await writeFile(join(place, '.nfs000000000000001'), 'rows');
  expect((await vault.verify(backupId)).manifest.backupId).toBe(backupId);
  await vault.purge(backupId, 1);
  expect(await vault.manifest(backupId)).toBeUndefined();
  expect(await readdir(place)).toEqual(['.nfs000000000000001']);
});

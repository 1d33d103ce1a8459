/** What whoever may write to the disk of a vault puts there to lead us elsewhere: a vault is reached over no link below its folder. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { heldOf, putSample, type SampleBackup, storeSample } from '../../fixtures/sample-backup.js';
import type { Vault } from '../vault.js';
import { DirectoryVault } from './directory-vault.js';
import { VaultFiles } from './vault-files.js';
import { VaultRoot } from './vault-root.js';

const run = promisify(execFile);
const isStrange = { name: 'VaultFault', code: 'object-altered', region: 'DFW' };

describe('the disk of a vault that somebody else writes to', () => {
  let folder: string;
  let hostile: Vault;
  let other: Vault;
  let inOther: SampleBackup;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-links-'));
    for (const region of ['DFW', 'IAD']) await mkdir(join(folder, region));
    hostile = new DirectoryVault('DFW', join(folder, 'DFW'));
    other = new DirectoryVault('IAD', join(folder, 'IAD'));
    inOther = await storeSample(other);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const folderOf = (region: string, { backupId }: { backupId: string }) =>
    join(folder, region, 'backups', backupId.slice(-2), backupId);
  const placeOf = async (region: string, vault: Vault, backup: SampleBackup) =>
    join(folder, region, (await vault.locationOf(backup.backupId)) ?? 'nowhere');

  it.each<[what: string, act: (vault: Vault, backupId: string) => Promise<unknown>]>([
    ['a removal', (vault, backupId) => vault.purge(backupId, 9)],
    ['a new attempt', async (vault, backupId) => (await vault.begin(backupId, 9)).discard()],
    [
      'a tidying up',
      async (vault, backupId) => {
        const location = (await vault.locationOf(backupId)) ?? '';
        return vault.tidy(backupId, { attempt: 1, location }, new Date(Date.now() + 3_600_000));
      },
    ],
  ])('has %s follow no link to another place', async (_, act) => {
    const backup = await storeSample(hostile);
    const link = join(folderOf('DFW', backup), '0.1');
    await symlink(await placeOf('IAD', other, inOther), link);
    await act(hostile, backup.backupId);
    expect((await other.verify(inOther.backupId)).manifest.backupId).toBe(inOther.backupId);
    expect(await readdir(folderOf('DFW', backup))).not.toContain('0.1');
  });

  it('is not read, changed or emptied over a link to the folder of another vault, or to a part of it', async () => {
    const { backupId } = inOther;
    const part = join(folder, 'DFW', 'backups', backupId.slice(-2));
    for (const [from, to] of [
      [folderOf('IAD', inOther), folderOf('DFW', inOther)],
      [join(folder, 'IAD', 'backups', backupId.slice(-2)), part],
      [join(folder, 'IAD', 'backups'), join(folder, 'DFW', 'backups')],
    ] as const) {
      await rm(join(folder, 'DFW', 'backups'), { recursive: true, force: true });
      if (to !== join(folder, 'DFW', 'backups')) await mkdir(join(to, '..'), { recursive: true });
      await symlink(from, to);
      await expect(hostile.manifest(backupId)).rejects.toMatchObject(isStrange);
      await expect(hostile.purge(backupId, 9)).rejects.toMatchObject(isStrange);
      await expect(putSample(hostile, backupId, 9)).rejects.toMatchObject(isStrange);
      await expect(buffer(hostile.read(backupId, 'base.tar.zst'))).rejects.toMatchObject(isStrange);
      expect((await other.verify(backupId)).manifest.backupId).toBe(backupId);
    }
    expect(await heldOf(other, backupId)).toMatchObject([{ isGone: false, attempt: 1 }]);
  });

  it.each([
    ['a link to a file of this host', (path: string, secret: string) => symlink(secret, path)],
    ['a link to a device that never ends', (path: string) => symlink('/dev/zero', path)],
    ['a pipe that nobody writes to', (path: string) => run('mkfifo', [path])],
  ])('is not read where an object is %s', async (_, put) => {
    const secret = join(folder, 'secret');
    await writeFile(secret, 'open sesame');
    const backup = await storeSample(hostile);
    const object = join(await placeOf('DFW', hostile, backup), 'base.tar.zst');
    await rm(object);
    await put(object, secret);
    await expect(buffer(hostile.read(backup.backupId, 'base.tar.zst'))).rejects.toMatchObject(isStrange);
    await expect(hostile.verify(backup.backupId)).rejects.toMatchObject(isStrange);
    await expect(hostile.glance(backup.backupId)).rejects.toMatchObject(isStrange);
  });

  it.each([
    ['state', /^state\./],
    ['manifest', /^manifest\.json$/],
  ])('whose %s is a pipe keeps nobody waiting, and takes the backup anew', async (_, name) => {
    const backup = await storeSample(hostile);
    const paths = await readdir(folderOf('DFW', backup), { recursive: true });
    const path = join(folderOf('DFW', backup), paths.find((each) => name.test(each.split('/').at(-1) ?? '')) ?? 'none');
    await rename(path, join(folder, 'moved'));
    await run('mkfifo', [path]);
    await expect(hostile.manifest(backup.backupId)).rejects.toMatchObject({
      code: expect.stringMatching(/^(object-altered|manifest-invalid)$/),
    });
    await storeSample(hostile, { backupId: backup.backupId, attempt: 2 });
    expect((await hostile.verify(backup.backupId)).manifest.backupId).toBe(backup.backupId);
  });

  it('is not listed without end', async () => {
    const backup = await storeSample(hostile);
    for (let count = 0; count < 20; count += 1) await writeFile(join(folderOf('DFW', backup), `more-${count}`), '');
    const path = join(folder, 'DFW');
    const short = new DirectoryVault('DFW', path, new VaultRoot('DFW', path, new VaultFiles(1, 10)));
    await expect(short.manifest(backup.backupId)).rejects.toMatchObject(isStrange);
  });

  it('may itself be a link that its operator has made', async () => {
    await symlink(join(folder, 'IAD'), join(folder, 'linked'));
    const linked = new DirectoryVault('IAD', join(folder, 'linked'));
    expect((await linked.verify(inOther.backupId)).manifest.backupId).toBe(inOther.backupId);
    const { backupId } = await storeSample(linked);
    await rm(join(folder, 'linked'));
    await symlink(join(folder, 'DFW'), join(folder, 'linked'));
    expect(await linked.manifest(backupId)).toBeUndefined();
    await storeSample(linked, { backupId });
    expect(
      await readFile(join(await placeOf('DFW', hostile, await storeSample(hostile)), 'manifest.json')),
    ).toBeDefined();
  });
});

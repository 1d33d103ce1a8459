import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, rename, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { unsealedPlaces } from '../../../../test/vaults/unsealed-places.js';
import { heldOf, listOf, putSample, type SampleBackup, storeSample } from '../../fixtures/sample-backup.js';
import { copyBackup } from '../copy-backup.js';
import { DirectoryVault } from './directory-vault.js';

describe('a backup that an older version stored: its folder renamed into place, without a state', () => {
  let folder: string;
  let root: string;
  let vault: DirectoryVault;
  let old: SampleBackup;
  let sha256: string;
  let location: string;
  const soon = () => new Date(Date.now() + 60_000);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-old-'));
    root = join(folder, 'DFW');
    await mkdir(root);
    await mkdir(join(folder, 'IAD'));
    vault = new DirectoryVault('DFW', root);
    old = await asBefore();
    sha256 = createHash('sha256').update(old.manifestBytes).digest('hex');
    location = `backups/${old.backupId.slice(-2)}/${old.backupId}`;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Moves the objects and the manifest to where an older version had them; what was not sealed lay in `partial`. */
  async function asBefore({ sealed = true, attempt = 1 } = {}): Promise<SampleBackup> {
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere);
    const source = new DirectoryVault('DFW', elsewhere);
    const sample = await storeSample(source);
    const { backupId } = sample;
    const to = sealed
      ? join(root, 'backups', backupId.slice(-2), backupId)
      : join(root, 'partial', `${backupId}.${attempt}`);
    await mkdir(dirname(to), { recursive: true });
    await rename(join(elsewhere, (await source.locationOf(backupId)) ?? ''), to);
    await rm(elsewhere, { recursive: true });
    return sample;
  }

  it('is read, verified and listed where it lies, without anything being written', async () => {
    const before = await readdir(join(root, location));
    expect(await vault.manifest(old.backupId)).toMatchObject({ sha256, location });
    expect(await vault.verify(old.backupId)).toMatchObject({ sha256, location });
    for (const [name, bytes] of old.objects) expect(await buffer(vault.read(old.backupId, name))).toEqual(bytes);
    expect(await listOf(vault)).toMatchObject([{ backupId: old.backupId, sealed: { sha256 } }]);
    expect(await readdir(join(root, location))).toEqual(before);
  });

  it('is copied, and deleted', async () => {
    const to = new DirectoryVault('IAD', join(folder, 'IAD'));
    const { signal } = new AbortController();
    const { backupId } = old;
    await copyBackup({ from: vault, to, backupId, attempt: 1, expectedSha256: sha256, signal });
    await expect(to.verify(backupId)).resolves.toMatchObject({ sha256 });
    await vault.purge(backupId, 1);
    await expect(vault.manifest(backupId)).resolves.toBeUndefined();
    expect(await readdir(join(root, location))).toEqual([expect.stringMatching(/^state\./)]);
  });

  it('is taken over where it lies by the attempt that follows the one that stored it', async () => {
    const { backupId } = old;
    const to = new DirectoryVault('DFW', root);
    const upload = await to.begin(backupId, 2);
    await expect(to.verify(backupId)).resolves.toMatchObject({ sha256, location });
    await upload.discard();
    await expect(vault.verify(backupId)).resolves.toMatchObject({ sha256, location });
    expect(await vault.tidy(backupId, { attempt: 2, location }, soon())).toMatchObject({ places: 0 });
    await expect(vault.verify(backupId)).resolves.toMatchObject({ sha256, location });
  });

  it('that is damaged is made anew in another place, and is removed by the next attempt or by the sweep', async () => {
    const { backupId } = old;
    await truncate(join(root, location, 'base.tar.zst'), 10);
    const second = await storeSample(vault, { backupId, attempt: 2 });
    await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: second.manifestBytes });
    const kept = { attempt: 2, location: (await vault.locationOf(backupId)) ?? '' };
    expect((await vault.tidy(backupId, kept, soon())).bytes).toBeGreaterThan(300);
    expect((await readdir(join(root, location))).sort()).toEqual(['2.1', 'state.000000000002']);
    await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: second.manifestBytes });
  });

  it('whose removal was cut off does not count, and is removed when it is made anew', async () => {
    const { backupId } = old;
    await rm(join(root, location, 'manifest.json'));
    await expect(vault.manifest(backupId)).resolves.toBeUndefined();
    await storeSample(vault, { backupId, attempt: 2 });
    expect((await readdir(join(root, location))).sort()).toEqual(['2.1', 'state.000000000002']);
  });

  it('and was not sealed refuses earlier attempts, can not be sealed any more, and is removed', async () => {
    const { backupId } = await asBefore({ sealed: false, attempt: 3 });
    await expect(vault.manifest(backupId)).resolves.toBeUndefined();
    expect(await heldOf(vault, backupId)).toMatchObject([{ backupId, attempt: 3, hasLeftovers: true }]);
    await expect(vault.begin(backupId, 2)).rejects.toMatchObject({ code: 'upload-superseded' });
    const [upload, manifest] = await putSample(vault, backupId, 4);
    expect(await unsealedPlaces(root, vault)).toEqual([expect.stringContaining('/4.1')]);
    await upload.seal(manifest);
    // An older process would seal like this, and can't replace what is there.
    await cp(join(root, location), join(root, 'partial', `${backupId}.3`), { recursive: true });
    const renamed = rename(join(root, 'partial', `${backupId}.3`), join(root, 'backups', backupId.slice(-2), backupId));
    await expect(renamed).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    await vault.purge(backupId, 4);
    expect(await unsealedPlaces(root, vault)).toEqual([]);
  });
});

import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { VaultManifest, VaultObject } from '@strongroom/contracts';
import { manifestBytes, openVaults, type Vault } from '@strongroom/vault';
import { ofFull } from '../fixtures/full-backup.js';
import { restoreHere } from '../fixtures/restore-here.js';
import { file, serverManifest, tarOf } from '../fixtures/server-archive.js';
import { openChain } from './restore-backup.js';

const entries = [file('PG_VERSION', '18\n'), file('base/1/1259', 'rows'), file('base/1/1260', 'more')];
const manifest = serverManifest({ PG_VERSION: '18\n', 'base/1/1259': 'rows', 'base/1/1260': 'more' });
/** The size of a block of a tar archive. Each file here has one for its header and one for its content. */
const block = 512;

describe('a restore from a vault', () => {
  let folder: string;
  let vault: Vault;
  let directory: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-restore-'));
    await mkdir(join(folder, 'ORD'));
    vault = openVaults(new Map([['ORD', pathToFileURL(join(folder, 'ORD'))]])).of('ORD');
    directory = join(folder, 'data');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Stored without compression, so that the tests know what is met first in an altered object. */
  async function stored(ofServer = manifest, more: Partial<VaultManifest> = {}): Promise<string> {
    const backupId = more.backupId ?? String(randomUUID());
    const upload = await vault.begin(backupId, 1);
    const put = async (name: string, bytes: Buffer): Promise<VaultObject> => ({
      ...(await upload.put(name, Readable.from([bytes]))),
      rawBytes: bytes.length,
      compression: 'none',
    });
    const objects = [
      await put('base.tar', await buffer(tarOf(entries))),
      await put('backup_manifest', Buffer.from(ofServer)),
    ];
    await upload.seal(manifestBytes({ ...ofFull, backupId, objects, ...more }));
    return backupId;
  }

  async function overwrite(backupId: string, name: string, at: number, text: string): Promise<void> {
    const object = await open(join(folder, 'ORD', (await vault.locationOf(backupId)) ?? '', name), 'r+');
    await object.write(text, at);
    await object.close();
  }

  it('puts its files into the folder and says what it was', async () => {
    const backupId = await stored();
    await expect(restoreHere({ vault, backupId, directory })).resolves.toMatchObject({
      files: 3,
      manifest: { backupId },
      chain: [backupId],
    });
    expect(await readFile(join(directory, 'base/1/1259'), 'utf8')).toBe('rows');
  });

  it.each([
    ["a file's content", 'base.tar', block, '17'],
    ["a file's header", 'base.tar', 2 * block, 'x'],
    ["the last file's header", 'base.tar', 4 * block + 130, 'x'],
    ['the padding that nobody reads', 'base.tar', 2 * block - 1, 'x'],
    ["the server's manifest", 'backup_manifest', 40, 'x'],
  ])('sends to another region when %s was altered in this one', async (_, name, at, text) => {
    const backupId = await stored();
    await overwrite(backupId, name, at, text);
    const refused = restoreHere({ vault, backupId, directory });
    await expect(refused).rejects.toMatchObject({ code: 'object-altered', region: 'ORD' });
    await expect(refused).rejects.toThrow('Restore from the copy in another region.');
    expect(await readdir(directory)).toEqual([]);
  });

  it('does not when the bytes are those that were stored: no other region has better ones', async () => {
    const backupId = await stored(serverManifest({ PG_VERSION: '17\n' }));
    await expect(restoreHere({ vault, backupId, directory })).rejects.toMatchObject({
      code: 'backup-content-invalid',
    });
    expect(await readdir(directory)).toEqual([]);
  });

  it('refuses a backup that was rewritten, manifest and all, where its digest is known', async () => {
    const backupId = await stored();
    const expectedSha256 = (await vault.manifest(backupId))?.sha256 ?? '';
    await rm(join(folder, 'ORD', 'backups'), { recursive: true });
    await stored(manifest, { backupId, instanceName: 'another' });
    const refused = restoreHere({ vault, backupId, directory, expectedSha256 });
    await expect(refused).rejects.toMatchObject({ code: 'object-altered', region: 'ORD' });
    await expect(refused).rejects.toThrow(`and should be ${expectedSha256}. Restore from the copy in another region.`);
    await expect(readdir(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('refuses a chain whose parent is another than the one that its child names by its digest', async () => {
    const parentId = await stored();
    const parentSha256 = (await vault.manifest(parentId))?.sha256 ?? '';
    const child = { type: 'incremental', parentId, engine: { ...ofFull.engine, parentStartLsn: null } } as const;
    const good = await stored(manifest, { ...child, parentSha256 });
    await expect(openChain(vault, good)).resolves.toHaveLength(2);
    await expect(openChain(vault, await stored(manifest, child))).resolves.toHaveLength(2);
    const other = await stored(manifest, { ...child, parentSha256: '0'.repeat(64) });
    await expect(openChain(vault, other)).rejects.toMatchObject({
      code: 'object-altered',
      message: expect.stringContaining(`backup ${parentId} is another than was stored`),
    });
  });
});

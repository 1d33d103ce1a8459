/** A backup that is encrypted before anything leaves the process, in both kinds of vaults. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { messageOf } from '@strongroom/contracts';
import { identityFrom, recipientFrom, rewrapKeys } from '@strongroom/encryption';
import { copyBackup, type Vault } from '@strongroom/vault';
import { shellProgram } from '../../../test/services/kms-program.js';
import { ArchiveEngine, archiveFiles } from '../fixtures/archive-engine.js';
import { EncryptedScene, formats, type SceneFormat, type SceneKey } from '../fixtures/encrypted-scene.js';
import { restoreHere } from '../fixtures/restore-here.js';
import { SealsInMemory } from '../fixtures/seals-in-memory.js';
import type { StoreOptions } from './store-backup.js';

let scene: EncryptedScene;
let folder: string;
afterEach(() => scene.remove());

const store = (...backup: Parameters<EncryptedScene['backUp']>) => scene.backUp(...backup);

async function bytesUnder(path: string): Promise<Buffer> {
  const names = await readdir(path, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Buffer.concat(await Promise.all(files.map((file) => readFile(file))));
}

const faultOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'it was done',
    (error: unknown) => messageOf(error),
  );

const ways: [format: SceneFormat, kind: string][] = [
  ['age', 'folder'],
  ['age', 'objects'],
  ['aes-gcm', 'folder'],
  ['aes-gcm', 'objects'],
];

describe.each(ways)('a backup that is encrypted in %s, in a vault of %s', (format, kind) => {
  let vault: Vault;
  beforeEach(async () => {
    scene = await EncryptedScene.open(format);
    folder = scene.folder;
    vault = await scene.vault(kind, 'DFW');
  });

  it('is restored with the key of its owner, and with no other', async () => {
    const { owner, stranger, chain } = scene;
    const { backupId, encryptedFor, facts } = await store(vault);
    expect({ encryptedFor, facts }).toMatchObject({ encryptedFor: ['office safe'], facts: { timeline: 1 } });
    const directory = join(folder, 'restored');
    await restoreHere({ vault, backupId, directory, identities: [stranger, owner] });
    expect(await readFile(join(directory, 'base/1/1259'), 'utf8')).toBe(archiveFiles['base/1/1259']);
    for (const identities of [[], [stranger], [chain]]) {
      const why = await faultOf(restoreHere({ vault, backupId, directory: join(folder, 'none'), identities }));
      expect(why).toContain(`opens with the key of office safe (${owner.id})`);
      expect(why).toContain(`strongroom restore ${backupId} --from DFW --to FOLDER --identity FILE`);
    }
  });

  it('leaves nothing of the server in clear, and its manifest has what copies and lists need', async () => {
    const { backupId, sha256 } = await store(vault);
    const there = (await bytesUnder(join(folder, 'DFW'))).toString('latin1');
    // The version stands in quotes, for a time of day has the same digits at times.
    for (const secret of [scene.instanceName, '7000000000000000001', '"18.4', 'row 791 ', 'PG_VERSION'])
      expect([secret, there.includes(secret)]).toEqual([secret, false]);
    const sealed = await vault.verify(backupId);
    expect(sealed).toMatchObject({ sha256, manifest: { accountId: 'acme', type: 'full', parentId: null } });
    expect(sealed.manifest).not.toHaveProperty('engine');
  });

  it('asks for nothing of the server when a key cannot be wrapped', async () => {
    const away = recipientFrom(`command:${join(folder, 'no-such-program')} two`);
    let asked = 0;
    const engine = new ArchiveEngine();
    const counted = {
      readByIncrementals: engine.readByIncrementals,
      backup: (...args: Parameters<ArchiveEngine['backup']>) => {
        asked += 1;
        return engine.backup(...args);
      },
    };
    const encryption = { ...scene.encryption, recipients: [away] };
    await expect(scene.backUp(vault, {}, { engine: counted, encryption })).rejects.toMatchObject({
      code: 'key-command-failed',
      retryable: true,
    });
    expect(asked).toBe(0);
  });

  it('is copied to either kind of vault without a key, and restored from there', async () => {
    const { backupId, sha256 } = await store(vault);
    for (const [other, region] of [
      ['folder', 'IAD'],
      ['objects', 'ORD'],
    ] as const) {
      const to = await scene.vault(other, region);
      const signal = new AbortController().signal;
      await copyBackup({ from: vault, to, backupId, attempt: 1, expectedSha256: sha256, signal });
      const directory = join(folder, `restored-${region}`);
      await restoreHere({ vault: to, backupId, directory, identities: [scene.owner], expectedSha256: sha256 });
      expect(await readFile(join(directory, 'PG_VERSION'), 'utf8')).toBe('18\n');
    }
  });

  it('has its keys wrapped for others by compare-and-set, and its digest stays', async () => {
    const { backupId, sha256 } = await store(vault);
    const { owner, chain } = scene;
    const before = await vault.keys(backupId, 'backup');
    if (!before) throw new Error('there are no keys');
    const next = scene.newKey('next');
    const bytes = await rewrapKeys(before.bytes, [owner], [next.named('new safe')]);
    expect(await vault.replaceKeys(backupId, 'backup', bytes, before.tag)).toBe(true);
    expect(await vault.replaceKeys(backupId, 'backup', before.bytes, before.tag)).toBe(false);
    const keysOfChain = await vault.keys(backupId, 'chain');
    const bytesOfChain = await rewrapKeys(keysOfChain?.bytes ?? Buffer.alloc(0), [chain], [next.named('new safe')]);
    expect(await vault.replaceKeys(backupId, 'chain', bytesOfChain, keysOfChain?.tag ?? '')).toBe(true);
    expect((await vault.verify(backupId)).sha256).toBe(sha256);
    const restored = (identity: SceneKey, name: string) =>
      restoreHere({ vault, backupId, directory: join(folder, name), identities: [identity] });
    await expect(restored(next, 'next')).resolves.toMatchObject({ sha256 });
    expect(await faultOf(restored(owner, 'owner'))).toContain('opens with the key of new safe');
  });

  it('is built on with the key of the chain alone, which does not open the data', async () => {
    const { backupId: parentId } = await store(vault);
    const engine = new ArchiveEngine();
    const incremental = await store(vault, { type: 'incremental', parentId }, { engine });
    expect(incremental).toMatchObject({ type: 'incremental', parentId, encryptedFor: ['office safe'] });
    expect(engine.readOfParents[0]).toContain('PostgreSQL-Backup-Manifest-Version');
  });

  it('is never in one chain with a backup in clear', async () => {
    const encrypted = await store(vault);
    const clear = await store(vault, {}, { encryption: undefined });
    expect(clear.encryptedFor).toEqual([]);
    const on = (parentId: string, more: Partial<StoreOptions> = {}) =>
      store(vault, { type: 'incremental', parentId }, more);
    await expect(on(clear.backupId)).rejects.toMatchObject({
      ground: 'parent-unreadable',
      message: expect.stringContaining('is not encrypted, and this backup is to be'),
    });
    await expect(on(encrypted.backupId, { encryption: undefined })).rejects.toMatchObject({
      ground: 'parent-unreadable',
    });
    await expect(
      on(encrypted.backupId, { encryption: { ...scene.encryption, chainIdentities: [] } }),
    ).rejects.toMatchObject({
      ground: 'parent-unreadable',
      message: expect.stringContaining('Take a full backup'),
    });
  });

  it('is never in one chain with a backup in another format', async () => {
    const { backupId: parentId } = await store(vault);
    const other = await EncryptedScene.open(format === 'age' ? 'aes-gcm' : 'age');
    try {
      const encryption = { ...other.encryption, chainIdentities: [scene.chain.identity] };
      await expect(store(vault, { type: 'incremental', parentId }, { encryption })).rejects.toMatchObject({
        ground: 'parent-unreadable',
        message: expect.stringMatching(
          /is encrypted in the format .*, and this backup is to be in .*\. Take a full backup\./,
        ),
      });
    } finally {
      await other.remove();
    }
  });

  it('is taken from a dead attempt only by who can read what it says of its server', async () => {
    const seals = new SealsInMemory();
    const first = await store(vault, {}, { seals });
    const again = (more: Partial<StoreOptions>) =>
      store(vault, { backupId: first.backupId }, { seals, attempt: 2, ...more });
    expect((await again({})).sha256).toBe(first.sha256);
    const clear = await again({ attempt: 3, encryption: undefined });
    expect(clear.encryptedFor).toEqual([]);
    expect(clear.sha256).not.toBe(first.sha256);
  });
});

describe('a program that keeps keys and is away', () => {
  it('is no damage of the backup: it is told, and another attempt can help', async () => {
    scene = await EncryptedScene.open('aes-gcm');
    const vault = await scene.vault('objects', 'DFW');
    const { backupId } = await store(vault);
    const away = shellProgram(join(scene.folder, 'away'), 'echo "the KMS does not answer" >&2', 'exit 3');
    const told = {
      name: 'EncryptionFault',
      code: 'key-command-failed',
      retryable: true,
      message: expect.stringContaining('the KMS does not answer'),
      told: expect.not.stringContaining(scene.folder),
    };
    const restoring = restoreHere({
      vault,
      backupId,
      directory: join(scene.folder, 'restored'),
      identities: [identityFrom(`command:${away} owner`)],
    });
    await expect(restoring).rejects.toMatchObject(told);
    // A full backup in the place of an incremental would not help.
    const encryption = { ...scene.encryption, chainIdentities: [identityFrom(`command:${away} chain`)] };
    const incremental = store(vault, { type: 'incremental', parentId: backupId }, { encryption });
    await expect(incremental).rejects.toMatchObject(told);
  });
});

describe('a change of the format', () => {
  it('leaves what was stored readable, makes the next backup anew, and takes nothing of an earlier attempt', async () => {
    scene = await EncryptedScene.open('aes-gcm');
    const vault = await scene.vault('objects', 'DFW');
    const seals = new SealsInMemory();
    const { backupId, sha256 } = await store(vault, {}, { seals });
    const encryption = { ...scene.encryption, format: formats.age };
    const again = await store(vault, { backupId }, { seals, attempt: 2, encryption });
    expect(again.sha256).not.toBe(sha256);
    const other = await store(vault);
    for (const [index, id] of [backupId, other.backupId].entries()) {
      const directory = join(scene.folder, `restored-${index}`);
      await restoreHere({ vault, backupId: id, directory, identities: [scene.owner] });
      expect(await readFile(join(directory, 'PG_VERSION'), 'utf8')).toBe('18\n');
    }
    const { manifest } = (await vault.manifest(other.backupId)) ?? {};
    expect(manifest).toMatchObject({ encryption: { format: 'tink/AES256_GCM_HKDF_1MB' } });
  });
});

/** What every kind of vault promises. The suite runs on a real one. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { messageOf, segmentsOf } from '@strongroom/contracts';
import { chunksOf, listOf, sampleManifest, storeSample } from '../fixtures/sample-backup.js';
import type { VaultScene } from '../fixtures/vault-scene.js';
import { copyContract } from './copy-backup.contract.js';
import { manifestBytes } from './manifest.js';
import type { Vault } from './vault.js';
import { isSpoilt } from './vault-fault.js';
import { fencingContract } from './vault-fencing.contract.js';

export function vaultContract(kind: string, open: (region: string) => Promise<VaultScene>): void {
  fencingContract(kind, open);
  copyContract(kind, open);

  describe(`a ${kind} vault`, () => {
    let scene: VaultScene;
    let vault: Vault;

    beforeEach(async () => {
      scene = await open('DFW');
      vault = scene.vault;
    });
    afterEach(() => scene.remove());

    it('gives back what was put into it, byte for byte, with the manifest as it was written', async () => {
      const { backupId, objects, manifestBytes: written } = await storeSample(vault);
      for (const [name, bytes] of objects) expect((await buffer(vault.read(backupId, name))).equals(bytes)).toBe(true);
      const sealed = await vault.manifest(backupId);
      expect(sealed?.bytes.equals(written)).toBe(true);
      expect(sealed?.sha256).toBe(createHash('sha256').update(written).digest('hex'));
      await expect(vault.verify(backupId)).resolves.toMatchObject({ sha256: sealed?.sha256 });
    });

    it('tells the size and SHA-256 of what it was given', async () => {
      const bytes = randomBytes(500_000);
      const upload = await vault.begin(randomUUID(), 1);
      const stored = await upload.put('base.tar.zst', chunksOf(bytes));
      expect(stored).toMatchObject({ name: 'base.tar.zst', sizeBytes: bytes.length });
      let at = 0;
      for (const { sizeBytes, sha256 } of segmentsOf({ ...stored, rawBytes: bytes.length, compression: 'none' })) {
        const segment = bytes.subarray(at, at + sizeBytes);
        expect(sha256).toBe(createHash('sha256').update(segment).digest('hex'));
        at += sizeBytes;
      }
      expect(at).toBe(bytes.length);
      await upload.discard();
    });

    it('reads a part of an object, across its segments and up to its end', async () => {
      const bytes = randomBytes(300_000);
      const { backupId } = await storeSample(vault, { objects: new Map([['base.tar.zst', bytes]]) });
      for (const [from, length] of [
        [0, 10],
        [65_530, 131_080],
        [299_990, 1_000],
        [300_000, 1],
      ] as const) {
        const part = await buffer(vault.read(backupId, 'base.tar.zst', { from, bytes: length }));
        expect(part.equals(bytes.subarray(from, from + length))).toBe(true);
      }
    });

    it('reads in chunks of at most 128 KiB, so that memory stays flat', async () => {
      const { backupId } = await storeSample(vault, { objects: new Map([['base.tar.zst', randomBytes(1_000_000)]]) });
      for await (const chunk of vault.read(backupId, 'base.tar.zst')) {
        expect(Buffer.isBuffer(chunk) && chunk.length).toBeLessThanOrEqual(131_072);
      }
    });

    it('gives every byte to a reader that is done with a chunk when it asks for the next one', async () => {
      const bytes = randomBytes(2_500_000);
      const { backupId } = await storeSample(vault, { objects: new Map([['base.tar.zst', bytes]]) });
      const hash = createHash('sha256');
      for await (const chunk of vault.readLent(backupId, 'base.tar.zst', { from: 1, bytes: bytes.length })) {
        expect(chunk.length).toBeLessThanOrEqual(131_072);
        // The vault may read on meanwhile, and must not touch this chunk.
        await new Promise(setImmediate);
        hash.update(chunk);
      }
      expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes.subarray(1)).digest('hex'));
      const unread = vault.readLent(backupId, 'base.tar.zst');
      for await (const chunk of unread) if (chunk.length > 0) break;
    });

    it('shows nothing of a backup before it is sealed', async () => {
      const backupId = randomUUID();
      const upload = await vault.begin(backupId, 1);
      await upload.put('base.tar.zst', chunksOf(randomBytes(10)));
      await expect(vault.manifest(backupId)).resolves.toBeUndefined();
      await upload.discard();
    });

    it('keeps nothing of an upload that is discarded', async () => {
      const upload = await vault.begin(randomUUID(), 1);
      await upload.put('base.tar.zst', chunksOf(randomBytes(10)));
      await upload.discard();
      await expect(scene.leftovers()).resolves.toEqual([]);
    });

    it('keeps nothing else once a backup is sealed', async () => {
      await storeSample(vault);
      await expect(scene.leftovers()).resolves.toEqual([]);
    });

    it('passes on why a source broke', async () => {
      const upload = await vault.begin(randomUUID(), 1);
      const broken = (async function* () {
        yield randomBytes(10);
        throw new Error('the server went away');
      })();
      await expect(upload.put('base.tar.zst', broken)).rejects.toThrow('the server went away');
      await upload.discard();
      await expect(scene.leftovers()).resolves.toEqual([]);
    });

    it('refuses a manifest that is not the one that was sealed, though it is one', async () => {
      const { backupId } = await storeSample(vault);
      await scene.alter(backupId, 'manifest.json');
      await expect(vault.manifest(backupId)).rejects.toMatchObject({ code: expect.stringMatching(/altered|invalid/) });
    });

    it('tells without reading whether every object is there in its size', async () => {
      const { backupId, manifestBytes: bytes } = await storeSample(vault);
      await expect(vault.glance(backupId)).resolves.toMatchObject({ bytes });
      await expect(vault.glance(randomUUID())).resolves.toBeUndefined();
      await scene.truncate(backupId, 'base.tar.zst');
      await expect(vault.glance(backupId)).rejects.toMatchObject({ code: 'object-altered' });
      await scene.lose(backupId, 'base.tar.zst');
      await expect(vault.glance(backupId)).rejects.toMatchObject({ code: 'object-missing' });
    });

    it('lists every sealed backup with nothing else, and says of each that it can not read why', async () => {
      const ids: string[] = [];
      for (let count = 0; count < 5; count += 1) ids.push((await storeSample(vault)).backupId);
      const [whole = '', bad = '', gone = ''] = ids;
      await scene.truncate(bad, 'manifest.json');
      await vault.purge(gone, 1);
      await vault.begin(randomUUID(), 1);
      const listed = await listOf(vault);
      expect(listed.map(({ backupId }) => backupId).sort()).toEqual(ids.filter((id) => id !== gone).sort());
      expect(listed.find(({ backupId }) => backupId === whole)).toMatchObject({
        sealed: { manifest: { backupId: whole }, location: await vault.locationOf(whole) },
      });
      expect(listed.find(({ backupId }) => backupId === bad)).toMatchObject({ fault: { code: 'manifest-invalid' } });
    });

    it('has an identity that is made once, and is checked before each write', async () => {
      const { backupId } = await storeSample(vault);
      const identity = await vault.identify();
      expect(identity).toMatchObject({ region: 'DFW', vaultId: expect.any(String) });
      await expect(vault.identify()).resolves.toEqual(identity);
      await scene.forgetItself();
      const away = { code: 'vault-unavailable', region: 'DFW' };
      await expect(vault.begin(backupId, 2)).rejects.toMatchObject(away);
      await expect(vault.purge(backupId, 2)).rejects.toMatchObject(away);
      await expect(vault.probe()).rejects.toMatchObject(away);
      // A vault that is away never says that it does not hold the backup.
      await expect(vault.manifest(randomUUID())).rejects.toMatchObject(away);
    });

    const damages = [
      ['altered', 'object-altered', (id: string) => scene.alter(id, 'base.tar.zst')],
      ['truncated', 'object-altered', (id: string) => scene.truncate(id, 'base.tar.zst')],
      ['lost', 'object-missing', (id: string) => scene.lose(id, 'base.tar.zst')],
    ] as const;

    it.each(damages)('notices when it reads back an object that was %s, and names it', async (_, code, damage) => {
      const { backupId } = await storeSample(vault);
      await damage(backupId);
      const verified = vault.verify(backupId);
      await expect(verified).rejects.toMatchObject({ code, region: 'DFW', retryable: false });
      await expect(verified).rejects.toThrow(/base\.tar\.zst/);
      await expect(verified).rejects.toThrow(backupId);
    });

    it('notices when it reads back an object that its disk fails to read, which is not the end of the vault', async () => {
      const { backupId } = await storeSample(vault);
      await scene.breakEmpty(backupId);
      const broken = { code: 'object-unreadable', region: 'DFW', retryable: true };
      await expect(vault.verify(backupId)).rejects.toMatchObject(broken);
      await expect(buffer(vault.read(backupId, 'empty.zst'))).rejects.toMatchObject(broken);
      await expect(vault.verify(backupId)).rejects.toThrow(/empty\.zst/);
    });

    it('notices when it reads back an object that the manifest does not name', async () => {
      const { backupId } = await storeSample(vault);
      await scene.addStranger(backupId);
      await expect(vault.verify(backupId)).rejects.toMatchObject({ code: 'object-altered' });
    });

    it('ignores what a network file system keeps of an open file', async () => {
      const { backupId } = await storeSample(vault);
      await scene.addStranger(backupId, '.nfs000000000004a3f200000001');
      await expect(vault.verify(backupId)).resolves.toBeDefined();
    });

    it('holds a backup of a newer version whole, and says that this version can not read it', async () => {
      const { backupId, manifestBytes } = await storeSample(vault);
      const newer = { ...JSON.parse(manifestBytes.toString()), datastore: { type: 'mariadb', version: '11' } };
      await scene.resealAs(backupId, Buffer.from(JSON.stringify(newer)));
      const readings = [() => vault.manifest(backupId), () => vault.glance(backupId), () => vault.verify(backupId)];
      for (const read of readings) {
        const fault: unknown = await read().catch((error: unknown) => error);
        expect(fault).toMatchObject({ name: 'VaultFault', code: 'manifest-newer', retryable: true });
        expect(isSpoilt(fault)).toBe(false);
        expect(messageOf(fault)).toMatch(/newer version of Strongroom.*datastore\.type.*Upgrade Strongroom here/);
      }
      expect(await listOf(vault)).toEqual([{ backupId, fault: expect.objectContaining({ code: 'manifest-newer' }) }]);
      await scene.alter(backupId, 'manifest.json');
      await expect(vault.manifest(backupId).catch(isSpoilt)).resolves.toBe(true);
    });

    it('refuses a manifest that can not be read, or is that of another backup', async () => {
      const { backupId } = await storeSample(vault);
      await scene.truncate(backupId, 'manifest.json');
      await expect(vault.manifest(backupId)).rejects.toMatchObject({ code: 'manifest-invalid' });
      const wrong: string = randomUUID();
      const upload = await vault.begin(wrong, 1);
      const object = { ...(await upload.put('a.zst', chunksOf(randomBytes(10)))), rawBytes: 10 };
      const manifest = manifestBytes(sampleManifest(backupId, 'DFW', [{ ...object, compression: 'none' }]));
      await expect(upload.seal(manifest)).rejects.toMatchObject({ code: 'manifest-invalid' });
      await upload.discard();
      await expect(vault.manifest(wrong)).resolves.toBeUndefined();
    });

    it('says that it does not hold a backup, or an object of it', async () => {
      const { backupId } = await storeSample(vault);
      const strange = randomUUID();
      await expect(vault.manifest(strange)).resolves.toBeUndefined();
      await expect(vault.verify(strange)).rejects.toMatchObject({ code: 'object-missing' });
      await expect(buffer(vault.read(backupId, 'no.zst'))).rejects.toMatchObject({ code: 'object-missing' });
    });

    it.each(['../../etc/passwd', '', '.', 'A'.repeat(36)])('takes %j for no id of a backup', async (id) => {
      await expect(vault.manifest(id)).rejects.toMatchObject({ code: 'object-missing' });
      await expect(async () => vault.begin(id, 1)).rejects.toMatchObject({ code: 'object-missing' });
      await expect(vault.purge(id, 1)).rejects.toMatchObject({ code: 'object-missing' });
    });

    it('ends reading back when it is told to', async () => {
      const { backupId } = await storeSample(vault);
      const reason = new Error('the lease is lost');
      await expect(vault.verify(backupId, undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
    });

    it('counts what it reads back', async () => {
      const { backupId, objects } = await storeSample(vault);
      let read = 0;
      await vault.verify(backupId, (bytes) => {
        read += bytes;
      });
      expect(read).toBe([...objects.values()].reduce((sum, { length }) => sum + length, 0));
    });

    it('that is away says so, names its region, and is itself again when it is back', async () => {
      const { backupId } = await storeSample(vault);
      await expect(vault.probe()).resolves.toBeUndefined();
      const upload = await vault.begin(randomUUID(), 1);
      await upload.put('base.tar.zst', chunksOf(randomBytes(10)));
      await scene.takeAway();
      const away = { code: 'vault-unavailable', region: 'DFW', retryable: true };
      await expect(vault.probe()).rejects.toMatchObject(away);
      await expect(vault.begin(backupId, 2)).rejects.toMatchObject(away);
      await expect(vault.manifest(backupId)).rejects.toMatchObject(away);
      await expect(vault.verify(backupId)).rejects.toMatchObject(away);
      await expect(vault.purge(backupId, 1)).rejects.toMatchObject(away);
      await expect(listOf(vault)).rejects.toMatchObject(away);
      await expect(buffer(vault.read(backupId, 'base.tar.zst'))).rejects.toMatchObject(away);
      await expect(upload.put('more.zst', chunksOf(randomBytes(10)))).rejects.toMatchObject(away);
      await expect(upload.seal(randomBytes(10))).rejects.toMatchObject(away);
      await scene.bringBack();
      await expect(vault.probe()).resolves.toBeUndefined();
      await expect(vault.verify(backupId)).resolves.toBeDefined();
      await upload.discard();
    });
  });
}

/** What every kind of vault promises, shown on a real one. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chunksOf, type SampleBackup, sampleManifest, storeSample } from '../fixtures/sample-backup.js';
import { copyBackup } from './copy-backup.js';
import { manifestBytes } from './manifest.js';
import type { Vault } from './vault.js';

/** A vault that can be damaged behind its back. */
export interface VaultScene {
  vault: Vault;
  /** Changes one byte of a sealed backup's object, or of `manifest.json`. */
  alter(backupId: string, objectName: string): Promise<void>;
  truncate(backupId: string, objectName: string): Promise<void>;
  lose(backupId: string, objectName: string): Promise<void>;
  addStranger(backupId: string): Promise<void>;
  /** Makes `empty.zst` of a sealed backup one that the disk fails to read. */
  breakEmpty(backupId: string): Promise<void>;
  /** What there is under temporary names. */
  leftovers(): Promise<string[]>;
  /** Makes the vault unreachable. */
  takeAway(): Promise<void>;
  bringBack(): Promise<void>;
  remove(): Promise<void>;
}

export function vaultContract(kind: string, open: (region: string) => Promise<VaultScene>): void {
  const never = new AbortController().signal;

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
      await expect(upload.put('base.tar.zst', chunksOf(bytes))).resolves.toEqual({
        name: 'base.tar.zst',
        sizeBytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      });
      await upload.discard();
    });

    it('reads in chunks of at most 128 KiB, so that memory stays flat', async () => {
      const { backupId } = await storeSample(vault, { objects: new Map([['base.tar.zst', randomBytes(1_000_000)]]) });
      for await (const chunk of vault.read(backupId, 'base.tar.zst')) {
        expect(Buffer.isBuffer(chunk) && chunk.length).toBeLessThanOrEqual(131_072);
      }
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

    it('keeps nothing under temporary names once a backup is sealed', async () => {
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

    it('does not let an earlier attempt write or seal once a later one has begun', async () => {
      const backupId = randomUUID();
      const early = await vault.begin(backupId, 1);
      await early.put('base.tar.zst', chunksOf(randomBytes(10)));
      const late = await vault.begin(backupId, 2);
      await expect(early.put('more.zst', chunksOf(randomBytes(10)))).rejects.toMatchObject({
        code: 'upload-superseded',
        retryable: false,
      });
      await expect(early.seal(randomBytes(10))).rejects.toMatchObject({ code: 'upload-superseded' });
      await late.put('base.tar.zst', chunksOf(randomBytes(10)));
      await early.discard();
      await expect(scene.leftovers()).resolves.toHaveLength(1);
      await late.discard();
      await expect(scene.leftovers()).resolves.toEqual([]);
    });

    it('does not let an attempt that comes late take away what a later one writes', async () => {
      const backupId = randomUUID();
      const late = await vault.begin(backupId, 2);
      const refused = vault.begin(backupId, 1);
      await expect(refused).rejects.toMatchObject({ code: 'upload-superseded', retryable: false });
      await expect(refused).rejects.toThrow('attempt 2 has begun. Whoever comes after it needs a higher number');
      await late.put('base.tar.zst', chunksOf(randomBytes(10)));
      await late.discard();
    });

    it('does not let an attempt seal over what another one has sealed', async () => {
      const { backupId, manifestBytes: first } = await storeSample(vault);
      await expect(storeSample(vault, { backupId, attempt: 2 })).rejects.toMatchObject({ code: 'upload-superseded' });
      expect((await vault.manifest(backupId))?.bytes.equals(first)).toBe(true);
    });

    it('takes a backup whose manifest is gone for none: it is written and sealed anew', async () => {
      const { backupId } = await storeSample(vault);
      await scene.lose(backupId, 'manifest.json');
      await expect(vault.manifest(backupId)).resolves.toBeUndefined();
      const { manifestBytes: second } = await storeSample(vault, { backupId, attempt: 2 });
      await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: second });
      await expect(scene.leftovers()).resolves.toEqual([]);
    });

    it('leaves a sealed backup and other backups alone when an attempt begins', async () => {
      const { backupId } = await storeSample(vault);
      const other = await vault.begin(randomUUID(), 1);
      await (await vault.begin(backupId, 2)).discard();
      await expect(vault.verify(backupId)).resolves.toBeDefined();
      await other.put('base.tar.zst', chunksOf(randomBytes(10)));
      await other.discard();
    });

    it('removes a sealed backup and nothing that an attempt is writing', async () => {
      const { backupId } = await storeSample(vault);
      const upload = await vault.begin(backupId, 2);
      await vault.remove(backupId);
      await expect(vault.manifest(backupId)).resolves.toBeUndefined();
      await upload.put('base.tar.zst', chunksOf(randomBytes(10)));
      await upload.discard();
      await expect(vault.remove(backupId)).resolves.toBeUndefined();
    });

    it('has nothing left of a backup that is purged, and no attempt at it can write or seal any more', async () => {
      const { backupId } = await storeSample(vault);
      const open = await vault.begin(backupId, 2);
      await open.put('base.tar.zst', chunksOf(randomBytes(10)));
      const bystander = await vault.begin(randomUUID(), 1);
      await bystander.put('base.tar.zst', chunksOf(randomBytes(10)));
      await vault.purge(backupId);
      await expect(vault.manifest(backupId)).resolves.toBeUndefined();
      await expect(scene.leftovers()).resolves.toHaveLength(1);
      const superseded = { code: 'upload-superseded', retryable: false };
      await expect(open.put('more.zst', chunksOf(randomBytes(10)))).rejects.toMatchObject(superseded);
      await expect(open.seal(randomBytes(10))).rejects.toMatchObject(superseded);
      await open.discard();
      await expect(vault.purge(backupId)).resolves.toBeUndefined();
      await bystander.put('more.zst', chunksOf(randomBytes(10)));
      await bystander.discard();
    });

    it('has nothing left of a backup that is purged while an attempt at it puts or seals', async () => {
      const backupId = randomUUID();
      const upload = await vault.begin(backupId, 1);
      const writing = (async () => {
        for (let object = 0; object < 20; object += 1) await upload.put(`${object}.zst`, chunksOf(randomBytes(10)));
        await upload.seal(randomBytes(10));
      })();
      await Promise.all([vault.purge(backupId), writing.catch(() => {})]);
      await expect(upload.put('more.zst', chunksOf(randomBytes(10)))).rejects.toMatchObject({
        code: 'upload-superseded',
      });
      await expect(vault.manifest(backupId)).resolves.toBeUndefined();
      await expect(scene.leftovers()).resolves.toEqual([]);
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

    it('refuses a manifest that can not be read, or is that of another backup', async () => {
      const { backupId } = await storeSample(vault);
      await scene.truncate(backupId, 'manifest.json');
      await expect(vault.manifest(backupId)).rejects.toMatchObject({ code: 'manifest-invalid' });
      const wrong: string = randomUUID();
      const upload = await vault.begin(wrong, 1);
      const object = { ...(await upload.put('a.zst', chunksOf(randomBytes(10)))), rawBytes: 10 };
      await upload.seal(manifestBytes(sampleManifest(backupId, 'DFW', [{ ...object, compression: 'none' }])));
      await expect(vault.manifest(wrong)).rejects.toMatchObject({ code: 'manifest-invalid' });
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
      await expect(vault.remove(id)).rejects.toMatchObject({ code: 'object-missing' });
      await expect(vault.purge(id)).rejects.toMatchObject({ code: 'object-missing' });
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
      await expect(vault.remove(backupId)).rejects.toMatchObject(away);
      await expect(vault.purge(backupId)).rejects.toMatchObject(away);
      await expect(buffer(vault.read(backupId, 'base.tar.zst'))).rejects.toMatchObject(away);
      await expect(upload.put('more.zst', chunksOf(randomBytes(10)))).rejects.toMatchObject(away);
      await expect(upload.seal(randomBytes(10))).rejects.toMatchObject(away);
      await scene.bringBack();
      await expect(vault.probe()).resolves.toBeUndefined();
      await expect(vault.verify(backupId)).resolves.toBeDefined();
      await upload.discard();
    });
  });

  describe(`a copy from one ${kind} vault to another`, () => {
    let source: VaultScene;
    let target: VaultScene;
    let sample: SampleBackup;
    let sha256: string;
    const copy = (more: { attempt?: number; signal?: AbortSignal; progress?: (bytes: number) => void } = {}) =>
      copyBackup({
        from: source.vault,
        to: target.vault,
        backupId: sample.backupId,
        expectedSha256: sha256,
        attempt: 1,
        signal: never,
        ...more,
      });
    const expectNothingAtTarget = async () => {
      await expect(target.vault.manifest(sample.backupId)).resolves.toBeUndefined();
      await expect(target.leftovers()).resolves.toEqual([]);
    };

    beforeEach(async () => {
      [source, target] = await Promise.all([open('DFW'), open('IAD')]);
      sample = await storeSample(source.vault);
      sha256 = createHash('sha256').update(sample.manifestBytes).digest('hex');
    });
    afterEach(async () => {
      await Promise.all([source.remove(), target.remove()]);
    });

    it('holds the very bytes, the manifest among them, and is read back before it is called made', async () => {
      let written = 0;
      const copied = await copy({
        progress: (bytes) => {
          written += bytes;
        },
      });
      expect(copied).toMatchObject({ sha256, transferred: true, location: target.vault.locationOf(sample.backupId) });
      expect(copied.sizeBytes).toBe(written + sample.manifestBytes.length);
      await expect(target.vault.verify(sample.backupId)).resolves.toMatchObject({ sha256 });
      await expect(target.leftovers()).resolves.toEqual([]);
    });

    it('is not made twice: what an attempt sealed before it died is taken over, unless its bytes are bad', async () => {
      await copy();
      await source.lose(sample.backupId, 'base.tar.zst');
      await expect(copy({ attempt: 2 })).resolves.toMatchObject({ sha256, transferred: false });
      await expect(target.leftovers()).resolves.toEqual([]);
    });

    it.each([
      ['an object', 'base.tar.zst'],
      ['the manifest', 'manifest.json'],
    ])('is made anew where %s at the target is bad', async (_, name) => {
      await copy();
      await target.alter(sample.backupId, name);
      await expect(copy({ attempt: 2 })).resolves.toMatchObject({ sha256, transferred: true });
      await expect(target.vault.verify(sample.backupId)).resolves.toMatchObject({ sha256 });
    });

    it('is made anew where the disk of the target fails to read what is there', async () => {
      await copy();
      await target.breakEmpty(sample.backupId);
      await expect(copy({ attempt: 2 })).resolves.toMatchObject({ sha256, transferred: true });
      await expect(target.vault.verify(sample.backupId)).resolves.toMatchObject({ sha256 });
    });

    it('is made anew where the removal of an earlier one was cut off', async () => {
      await copy();
      await target.lose(sample.backupId, 'manifest.json');
      await expect(copy({ attempt: 2 })).resolves.toMatchObject({ sha256, transferred: true });
      await expect(target.vault.verify(sample.backupId)).resolves.toMatchObject({ sha256 });
    });

    const damages = [
      ['an object was altered', 'object-altered', () => source.alter(sample.backupId, 'base.tar.zst')],
      ['an object was truncated', 'object-altered', () => source.truncate(sample.backupId, 'base.tar.zst')],
      ['an object was lost', 'object-missing', () => source.lose(sample.backupId, 'base.tar.zst')],
      ['the backup was lost', 'object-missing', () => source.vault.remove(sample.backupId)],
    ] as const;

    it.each(damages)(
      'is not made when %s at the source, which is named, and leaves nothing',
      async (_, code, damage) => {
        await damage();
        await expect(copy()).rejects.toMatchObject({ code, region: 'DFW' });
        await expectNothingAtTarget();
      },
    );

    it('is not made of a manifest that is not the one of the ledger', async () => {
      sha256 = createHash('sha256').update('another').digest('hex');
      await expect(copy()).rejects.toMatchObject({ code: 'object-altered', region: 'DFW' });
      await expectNothingAtTarget();
    });

    it('that is told to end leaves nothing', async () => {
      const ending = new AbortController();
      const reason = new Error('the lease is lost');
      const copying = copy({ signal: ending.signal, progress: () => ending.abort(reason) });
      await expect(copying).rejects.toBe(reason);
      await expectNothingAtTarget();
    });
  });
}

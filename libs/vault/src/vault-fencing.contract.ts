/**
 * What every kind of vault promises when attempts at one backup overlap: a late attempt neither changes nor removes what
 * counts.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chunksOf, heldOf, putSample, sampleManifest, storeSample } from '../fixtures/sample-backup.js';
import type { VaultScene } from '../fixtures/vault-scene.js';
import { manifestBytes } from './manifest.js';
import type { Vault } from './vault.js';

export function fencingContract(kind: string, open: (region: string) => Promise<VaultScene>): void {
  describe(`a ${kind} vault, between attempts,`, () => {
    let scene: VaultScene;
    let vault: Vault;

    beforeEach(async () => {
      scene = await open('DFW');
      vault = scene.vault;
    });
    afterEach(() => scene.remove());

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
      await expect(refused).rejects.toThrow('attempt 2 has begun. A later attempt needs a higher number');
      await late.put('base.tar.zst', chunksOf(randomBytes(10)));
      await late.discard();
    });

    it('seals nothing that it can not read back as it was put: then it is as if it had not been written', async () => {
      const { backupId, manifestBytes: first } = await storeSample(vault);
      const upload = await vault.begin(backupId, 2);
      const object = { ...(await upload.put('a.zst', chunksOf(randomBytes(100)))), rawBytes: 100 };
      await scene.alterUnsealed(backupId, 'a.zst');
      const manifest = manifestBytes(sampleManifest(backupId, 'DFW', [{ ...object, compression: 'none' }]));
      await expect(upload.seal(manifest)).rejects.toMatchObject({ code: 'object-altered' });
      await upload.discard();
      await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: first });
      await expect(scene.leftovers()).resolves.toEqual([]);
    });

    it('has what a later attempt seals in place of what an earlier one sealed, and nobody can undo that', async () => {
      const backupId: string = randomUUID();
      const [early, manifest] = await putSample(vault, backupId, 1);
      const frozen = await vault.begin(backupId, 2);
      await expect(early.seal(manifest)).rejects.toMatchObject({ code: 'upload-superseded' });
      const first = await storeSample(vault, { backupId, attempt: 3 });
      const { location } = (await vault.manifest(backupId)) ?? {};
      const second = await storeSample(vault, { backupId, attempt: 4 });
      await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: second.manifestBytes });
      expect(await vault.locationOf(backupId)).not.toBe(location);
      for (const late of [early, frozen]) {
        await expect(late.seal(first.manifestBytes)).rejects.toMatchObject({ code: 'upload-superseded' });
        await late.discard();
      }
      await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: second.manifestBytes });
    });

    it('lets the newer of two attempts of one number seal: they are one runner who begins anew', async () => {
      const backupId: string = randomUUID();
      const [older, manifest] = await putSample(vault, backupId, 1);
      const [newer, others] = await putSample(vault, backupId, 1);
      await expect(older.seal(manifest)).rejects.toMatchObject({ code: 'upload-superseded' });
      await older.discard();
      await expect(newer.seal(others)).resolves.toMatchObject({ bytes: others });
      await newer.discard();
      await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: others });
    });

    it('says what is missing of a backup whose manifest is gone, and has it written and sealed anew', async () => {
      const { backupId } = await storeSample(vault);
      await scene.lose(backupId, 'manifest.json');
      await expect(vault.manifest(backupId)).rejects.toMatchObject({ code: 'object-missing' });
      const { manifestBytes: second } = await storeSample(vault, { backupId, attempt: 2 });
      await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: second });
      await (await vault.begin(backupId, 3)).discard();
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

    it('has nothing left of a backup that is purged, and no attempt up to that number can begin, write or seal', async () => {
      const { backupId } = await storeSample(vault);
      const [open, manifest] = await putSample(vault, backupId, 2);
      const bystander = await vault.begin(randomUUID(), 1);
      await bystander.put('base.tar.zst', chunksOf(randomBytes(10)));
      await expect(vault.purge(backupId, 2)).resolves.toMatchObject({ places: 2 });
      await expect(vault.manifest(backupId)).resolves.toBeUndefined();
      await expect(scene.leftovers()).resolves.toHaveLength(1);
      const superseded = { code: 'upload-superseded', retryable: false };
      await expect(open.put('more.zst', chunksOf(randomBytes(10)))).rejects.toMatchObject(superseded);
      await expect(open.seal(manifest)).rejects.toMatchObject(superseded);
      await open.discard();
      await expect(vault.begin(backupId, 2)).rejects.toMatchObject(superseded);
      await expect(vault.purge(backupId, 2)).resolves.toEqual({ places: 0, bytes: 0 });
      await bystander.put('more.zst', chunksOf(randomBytes(10)));
      await bystander.discard();
      await storeSample(vault, { backupId, attempt: 3 });
      await expect(vault.verify(backupId)).resolves.toBeDefined();
    });

    it('removes nothing for a caller that does not know of the newest attempt', async () => {
      const { backupId, manifestBytes: written } = await storeSample(vault, { attempt: 2 });
      await expect(vault.purge(backupId, 1)).rejects.toMatchObject({ code: 'upload-superseded' });
      await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: written });
    });

    it('has nothing left of a backup that is purged while an attempt at it puts or seals', async () => {
      const backupId: string = randomUUID();
      const upload = await vault.begin(backupId, 1);
      const writing = (async () => {
        for (let object = 0; object < 20; object += 1) await upload.put(`${object}.zst`, chunksOf(randomBytes(10)));
        await upload.seal(randomBytes(10));
      })();
      await Promise.all([vault.purge(backupId, 1), writing.catch(() => {})]);
      await expect(upload.put('more.zst', chunksOf(randomBytes(10)))).rejects.toMatchObject({
        code: 'upload-superseded',
      });
      await expect(vault.manifest(backupId)).resolves.toBeUndefined();
      await expect(scene.leftovers()).resolves.toEqual([]);
    });

    it('rids a completed backup of what late attempts left beside it, and of nothing else', async () => {
      const { backupId, manifestBytes: kept } = await storeSample(vault);
      const [late, manifest] = await putSample(vault, backupId, 2);
      const location = (await vault.locationOf(backupId)) ?? '';
      const [held] = await heldOf(vault, backupId);
      expect(held).toMatchObject({ backupId, attempt: 2, location, isGone: false, hasLeftovers: true });
      const superseded = { code: 'upload-superseded' };
      await expect(vault.tidy(backupId, { attempt: 1, location }, soon())).rejects.toMatchObject(superseded);
      await expect(vault.tidy(backupId, { attempt: 2, location: `${location}0` }, soon())).rejects.toMatchObject(
        superseded,
      );
      await expect(vault.tidy(backupId, { attempt: 2, location }, new Date(0))).resolves.toMatchObject({ places: 0 });
      await expect(scene.leftovers()).resolves.toHaveLength(1);
      const removed = await vault.tidy(backupId, { attempt: 2, location }, soon());
      expect(removed).toMatchObject({ places: 1 });
      expect(removed.bytes).toBeGreaterThan(300_000);
      await expect(scene.leftovers()).resolves.toEqual([]);
      await expect(late.seal(manifest)).rejects.toMatchObject(superseded);
      await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: kept, location });
      expect(await heldOf(vault, backupId)).toMatchObject([{ hasLeftovers: false }]);
    });

    it('forgets what was purged long ago, and nothing that was not', async () => {
      const { backupId } = await storeSample(vault);
      await expect(vault.forget(backupId, 1, soon())).resolves.toBe(false);
      await vault.purge(backupId, 1);
      expect(await heldOf(vault, backupId)).toMatchObject([{ isGone: true }]);
      await expect(vault.forget(backupId, 1, new Date(0))).resolves.toBe(false);
      await expect(vault.forget(backupId, 0, soon())).resolves.toBe(false);
      await expect(vault.forget(backupId, 1, soon())).resolves.toBe(true);
      expect(await heldOf(vault, backupId)).toEqual([]);
      await expect(vault.forget(backupId, 1, soon())).resolves.toBe(false);
    });
  });
}

function soon(): Date {
  return new Date(Date.now() + 60_000);
}

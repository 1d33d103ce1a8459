/** What a copy from one vault to another promises, for every kind of vault. The suite runs on real ones. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type SampleBackup, storeSample } from '../fixtures/sample-backup.js';
import type { VaultScene } from '../fixtures/vault-scene.js';
import { copyBackup } from './copy-backup.js';

/** @param openTarget default: the target is of the source's kind */
export function copyContract(
  kind: string,
  open: (region: string) => Promise<VaultScene>,
  openTarget: (region: string) => Promise<VaultScene> = open,
): void {
  const never = new AbortController().signal;

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
    /** What the next attempt can go on with may stay, in the one place that is open for it. It goes with the copy. */
    const expectNothingAtTarget = async () => {
      await expect(target.vault.manifest(sample.backupId)).resolves.toBeUndefined();
      const left = await target.leftovers();
      expect(left.length).toBeLessThanOrEqual(target.goesOn ? 1 : 0);
      await expect(target.vault.purge(sample.backupId, 9)).resolves.toMatchObject({ places: left.length });
      await expect(target.leftovers()).resolves.toEqual([]);
    };

    beforeEach(async () => {
      [source, target] = await Promise.all([open('DFW'), openTarget('IAD')]);
      sample = await storeSample(source.vault);
      sha256 = createHash('sha256').update(sample.manifestBytes).digest('hex');
    });
    afterEach(async () => {
      await Promise.all([source.remove(), target.remove()]);
    });

    it('holds the same bytes, manifest included, and is read back before it counts as made', async () => {
      let written = 0;
      const copied = await copy({
        progress: (bytes) => {
          written += bytes;
        },
      });
      expect(copied).toMatchObject({
        sha256,
        transferred: true,
        location: await target.vault.locationOf(sample.backupId),
      });
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

    it('leaves alone what is there when it can not be checked, and takes it over later', async () => {
      const { location } = await copy();
      const reason = new Error('the lease is lost');
      await expect(copy({ attempt: 2, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      await expect(copy({ attempt: 3 })).resolves.toMatchObject({ location, transferred: false });
    });

    it('is not made of a backup of a newer version, and leaves one alone that is at the target', async () => {
      const newer = { ...JSON.parse(sample.manifestBytes.toString()), datastore: { type: 'mariadb', version: '11' } };
      const resealed = Buffer.from(JSON.stringify(newer));
      await source.resealAs(sample.backupId, resealed);
      await expect(copy()).rejects.toMatchObject({ code: 'manifest-newer', region: 'DFW' });
      await expectNothingAtTarget();
      await source.resealAs(sample.backupId, sample.manifestBytes);
      const { location } = await copy({ attempt: 10 });
      await target.resealAs(sample.backupId, resealed);
      await expect(copy({ attempt: 11 })).rejects.toMatchObject({ code: 'manifest-newer', region: 'IAD' });
      await target.resealAs(sample.backupId, sample.manifestBytes);
      await expect(target.vault.verify(sample.backupId)).resolves.toMatchObject({ location, sha256 });
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
      ['the backup was lost', 'object-missing', () => source.vault.purge(sample.backupId, 1)],
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

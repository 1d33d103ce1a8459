/**
 * What somebody tries who may write to a vault and has no key. He knows the format and all public keys, and puts right every digest that
 * needs no key: in the manifest, and in the state of the backup.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type EncryptedManifest, encryptedManifest, faultOf, type VaultSegment } from '@strongroom/contracts';
import type { DirectoryStore, Vault } from '@strongroom/vault';
import { EncryptedScene } from '../fixtures/encrypted-scene.js';
import { restoreHere } from '../fixtures/restore-here.js';

const never = new AbortController().signal;
const base = 'base.tar.zst';
const otherManifest = 'it belongs to something else, or the manifest was changed';

class Attacker {
  constructor(
    private readonly store: DirectoryStore,
    private readonly vault: Vault,
  ) {}

  async read(backupId: string, name: string): Promise<Buffer> {
    const found = await this.store.get(await this.keyOf(backupId, name), never);
    if (!found) throw new Error(`there is no ${name}`);
    return buffer(Readable.from(found.body));
  }

  async write(backupId: string, name: string, bytes: Buffer): Promise<void> {
    const key = await this.keyOf(backupId, name);
    await this.store.delete([key], never);
    await this.put(key, bytes);
  }

  /** Changes the manifest, and has the state name its new digest. */
  async reseal(backupId: string, change: (manifest: EncryptedManifest) => EncryptedManifest): Promise<string> {
    const before = encryptedManifest.parse(JSON.parse((await this.read(backupId, 'manifest.json')).toString('utf8')));
    const bytes = Buffer.from(JSON.stringify(change(before)));
    await this.write(backupId, 'manifest.json', bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const state = (await this.read(backupId, '../state')).toString('utf8');
    await this.write(backupId, '../state', Buffer.from(state.replace(/(?<="manifestSha256": ?")[0-9a-f]{64}/, sha256)));
    return sha256;
  }

  private async keyOf(backupId: string, name: string): Promise<string> {
    return join((await this.vault.locationOf(backupId)) ?? '', name);
  }

  private async put(key: string, bytes: Buffer): Promise<void> {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await this.store.put(key, bytes, { sha256, if: 'absent' }, never);
  }
}

interface Attacked {
  attacker: Attacker;
  backupId: string;
  /** A backup of the same account, and one of another account, for the same recipients. */
  sibling: string;
  foreign: string;
}

const segment = (index: number) => `${base}.${String(index).padStart(6, '0')}`;
const withSegments = (
  manifest: EncryptedManifest,
  change: (segments: readonly VaultSegment[]) => VaultSegment[],
): EncryptedManifest => ({
  ...manifest,
  objects: manifest.objects.map((object) => {
    if (object.name !== base || !('segments' in object)) return object;
    const segments = change(object.segments);
    return { ...object, segments, sizeBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  }),
});
const swapped = <T>([first, second, ...others]: readonly T[]): T[] =>
  first === undefined || second === undefined ? [] : [second, first, ...others];
const factsOf = (bytes: Buffer) => ({
  sizeBytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});

const attacks: [name: string, attack: (on: Attacked) => Promise<unknown>, fault: string][] = [
  [
    'a byte of a segment',
    async ({ attacker, backupId }) => {
      const bytes = await attacker.read(backupId, segment(0));
      bytes[70_000] = (bytes[70_000] ?? 0) ^ 1;
      await attacker.write(backupId, segment(0), bytes);
    },
    'its SHA-256 differs',
  ],
  [
    'two segments, exchanged',
    async ({ attacker, backupId }) => {
      const [one, other] = [await attacker.read(backupId, segment(0)), await attacker.read(backupId, segment(1))];
      await attacker.write(backupId, segment(0), other);
      await attacker.write(backupId, segment(1), one);
    },
    'its SHA-256 differs',
  ],
  [
    'two segments, exchanged in the manifest as well',
    async ({ attacker, backupId }) => {
      const [one, other] = [await attacker.read(backupId, segment(0)), await attacker.read(backupId, segment(1))];
      await attacker.write(backupId, segment(0), other);
      await attacker.write(backupId, segment(1), one);
      await attacker.reseal(backupId, (manifest) => withSegments(manifest, swapped));
    },
    otherManifest,
  ],
  [
    'a segment of another backup of the account',
    async ({ attacker, backupId, sibling }) => {
      const bytes = await attacker.read(sibling, segment(0));
      await attacker.write(backupId, segment(0), bytes);
      await attacker.reseal(backupId, (manifest) =>
        withSegments(manifest, ([, ...others]) => [factsOf(bytes), ...others]),
      );
    },
    otherManifest,
  ],
  [
    'all of another backup of the account, under this id',
    async ({ attacker, backupId, sibling }) => {
      const all = ['keys.age', 'chain-keys.age', 'about.json.zst.000000', 'backup_manifest.zst.000000'];
      const manifest = encryptedManifest.parse(JSON.parse((await attacker.read(sibling, 'manifest.json')).toString()));
      const object = manifest.objects.find(({ name }) => name === base);
      const segments = object && 'segments' in object ? object.segments : [];
      for (const name of [...all, ...segments.map((_, index) => segment(index))])
        await attacker.write(backupId, name, await attacker.read(sibling, name));
      await attacker.reseal(backupId, () => ({ ...manifest, backupId }));
    },
    otherManifest,
  ],
  [
    'the last segment, cut off',
    ({ attacker, backupId }) =>
      attacker.reseal(backupId, (manifest) => withSegments(manifest, (segments) => segments.slice(0, -1))),
    otherManifest,
  ],
  [
    'the account in the manifest',
    ({ attacker, backupId }) => attacker.reseal(backupId, (manifest) => ({ ...manifest, accountId: 'evil' })),
    otherManifest,
  ],
  [
    'the format in the manifest',
    ({ attacker, backupId }) =>
      attacker.reseal(backupId, (manifest) => ({
        ...manifest,
        encryption: { ...manifest.encryption, format: 'tink/AES256_GCM_HKDF_1MB' },
      })),
    otherManifest,
  ],
  [
    'two objects, exchanged',
    ({ attacker, backupId }) =>
      attacker.reseal(backupId, (manifest) => ({
        ...manifest,
        objects: manifest.objects.map((object) => ({
          ...object,
          name:
            object.name === base ? 'backup_manifest.zst' : object.name === 'backup_manifest.zst' ? base : object.name,
        })),
      })),
    'of backup',
  ],
  [
    'the keys of another backup of the account',
    async ({ attacker, backupId, sibling }) =>
      attacker.write(backupId, 'keys.age', await attacker.read(sibling, 'keys.age')),
    otherManifest,
  ],
  [
    'the keys of a backup of another account',
    async ({ attacker, backupId, foreign }) =>
      attacker.write(backupId, 'keys.age', await attacker.read(foreign, 'keys.age')),
    otherManifest,
  ],
  [
    'its two keys, exchanged',
    async ({ attacker, backupId }) => {
      const [keys, chain] = [
        await attacker.read(backupId, 'keys.age'),
        await attacker.read(backupId, 'chain-keys.age'),
      ];
      await attacker.write(backupId, 'keys.age', chain);
      await attacker.write(backupId, 'chain-keys.age', keys);
    },
    otherManifest,
  ],
  [
    'the digest that its keys name, together with the manifest',
    async ({ attacker, backupId }) => {
      const sha256 = await attacker.reseal(backupId, (manifest) => ({ ...manifest, accountId: 'evil' }));
      for (const name of ['keys.age', 'chain-keys.age']) {
        const keys = (await attacker.read(backupId, name)).toString('latin1');
        await attacker.write(backupId, name, Buffer.from(keys.replace(/ [0-9a-f]{64}\n/, ` ${sha256}\n`), 'latin1'));
      }
    },
    'its keys were changed',
  ],
  [
    'a holder that its keys name',
    async ({ attacker, backupId }) => {
      const keys = (await attacker.read(backupId, 'keys.age')).toString('latin1');
      await attacker.write(backupId, 'keys.age', Buffer.from(keys.replace('office%20safe', 'evil'), 'latin1'));
    },
    'its keys were changed',
  ],
  [
    'its keys, cut short',
    async ({ attacker, backupId }) =>
      attacker.write(backupId, 'keys.age', (await attacker.read(backupId, 'keys.age')).subarray(0, -10)),
    'its header does not end',
  ],
];

describe('who may write to a vault and has no key', () => {
  let scene: EncryptedScene;
  let vault: Vault;
  let on: Attacked;
  beforeEach(async () => {
    scene = await EncryptedScene.open();
    vault = await scene.vault('objects', 'DFW');
    const attacker = new Attacker(await scene.store('DFW'), vault);
    const { backupId } = await scene.backUp(vault);
    const { backupId: sibling } = await scene.backUp(vault);
    const { backupId: foreign } = await scene.backUp(vault, { accountId: 'other' });
    on = { attacker, backupId, sibling, foreign };
  });
  afterEach(() => scene.remove());

  const restored = (expectedSha256?: string) =>
    restoreHere({
      vault,
      backupId: on.backupId,
      directory: join(scene.folder, 'restored'),
      identities: [scene.owner],
      expectedSha256,
    });

  it.each(attacks)('changes nothing that is restored: %s', async (_, attack, fault) => {
    await attack(on);
    const error = await restored().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(faultOf(error)).toMatchObject({ code: 'object-altered', message: expect.stringContaining(fault) });
    expect(faultOf(error).message).toContain(on.backupId);
  });

  it('can leave no link out of a chain', async () => {
    const { backupId } = await scene.backUp(vault, { type: 'incremental', parentId: on.backupId });
    await on.attacker.reseal(backupId, (manifest) => ({
      ...manifest,
      type: 'full',
      parentId: null,
      parentSha256: null,
    }));
    await expect(
      restoreHere({ vault, backupId, directory: join(scene.folder, 'none'), identities: [scene.owner] }),
    ).rejects.toMatchObject({ code: 'object-altered', message: expect.stringContaining(otherManifest) });
  });

  it('can make a backup of his own, which only the digest in the ledger tells from ours', async () => {
    const { backupId } = on;
    const { sha256 } = (await vault.manifest(backupId)) ?? { sha256: '' };
    await scene.backUp(vault, { backupId }, { attempt: 2 });
    await expect(restored(sha256)).rejects.toMatchObject({ code: 'object-altered' });
    await expect(restored()).resolves.toMatchObject({ manifest: { backupId } });
  });
});

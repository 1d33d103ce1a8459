/** Stores a backup of a few random bytes in a vault, in the form that an engine's backups have. */
import { randomBytes, randomUUID } from 'node:crypto';
import { manifestFor, type VaultObject } from '@strongroom/contracts';
import { manifestBytes, type SealedManifest, type Vault } from '@strongroom/vault';

const sizes = new Map([
  ['base.tar.zst', 300_000],
  ['backup_manifest.zst', 1_000],
]);

export async function storeRandomBackup(vault: Vault, backupId: string = randomUUID()): Promise<SealedManifest> {
  const upload = await vault.begin(backupId, 1);
  const objects: VaultObject[] = [];
  for (const [name, size] of sizes) {
    const put = await upload.put(name, one(randomBytes(size)));
    objects.push({ ...put, rawBytes: size, compression: 'none' });
  }
  const sealed = await upload.seal(
    manifestBytes(
      manifestFor({
        backupId,
        accountId: 'acme',
        instanceId: '6f1c2b0a-0000-4000-8000-000000000001',
        instanceName: 'orders',
        type: 'full',
        parentId: null,
        datastore: { type: 'postgresql', version: '18.4' },
        region: vault.region,
        startedAt: '2026-11-14T14:30:00.000Z',
        completedAt: '2026-11-14T14:31:00.000Z',
        objects,
        engine: {},
      }),
    ),
  );
  await upload.discard();
  return sealed;
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** A sealed backup of given bytes, for measurements of what is done with one. */
import { randomUUID } from 'node:crypto';
import { manifestFor } from '../dist/libs/contracts/src/index.js';
import { manifestBytes } from '../dist/libs/vault/src/index.js';

/**
 * Stores bytes as the one object of a backup, and seals it.
 * @param chunks of the bytes, of which there are `rawBytes`
 * @returns what the vault tells of the sealed backup
 */
export async function storeBytes(vault, { backupId, chunks, rawBytes }) {
  const upload = await vault.begin(backupId, 1);
  const stored = await upload.put('base.tar.zst', chunks);
  const manifest = manifestFor({
    backupId,
    accountId: 'bench',
    instanceId: randomUUID(),
    instanceName: 'bench',
    type: 'full',
    parentId: null,
    datastore: { type: 'postgresql', version: '18.4' },
    region: 'FROM',
    startedAt: '2026-11-14T14:30:00.000Z',
    completedAt: '2026-11-14T14:31:00.000Z',
    objects: [{ ...stored, rawBytes, compression: 'zstd' }],
    engine: { systemId: '7000000000000000001', timeline: 1 },
  });
  const sealed = await upload.seal(manifestBytes(manifest));
  await upload.discard();
  return sealed;
}

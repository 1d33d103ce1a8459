/** Writes, digests and parses the bytes that a vault keeps as a backup's manifest. */
import { createHash } from 'node:crypto';
import { manifestObjectName, messageOf, type VaultManifest, vaultManifest, vaultObject } from '@strongroom/contracts';
import type { SealedManifest } from './vault.js';
import { VaultFault } from './vault-fault.js';

export function manifestBytes(manifest: VaultManifest): Buffer {
  return Buffer.from(`${JSON.stringify(vaultManifest.parse(manifest), null, 2)}\n`);
}

type ManifestOfBackup = Omit<SealedManifest, 'location'>;

/** @throws {VaultFault} `manifest-invalid`, also when it is the manifest of another backup */
export function parseManifest(bytes: Buffer, backupId: string, region: string): ManifestOfBackup {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  try {
    const manifest = vaultManifest.parse(JSON.parse(bytes.toString('utf8')));
    if (manifest.backupId !== backupId) throw new Error(`it is that of backup ${manifest.backupId}`);
    return { manifest, bytes, sha256 };
  } catch (error) {
    const why = messageOf(error);
    throw new VaultFault(
      'manifest-invalid',
      region,
      `The manifest of backup ${backupId} in the vault of ${region} can't be used: ${why}`,
      { cause: error },
    );
  }
}

/** How many bytes a sealed backup takes in a vault, its manifest included. */
export function storedBytes({ manifest, bytes }: SealedManifest): number {
  return manifest.objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, bytes.length);
}

/** Makes sure that an object's name can only be that of a file beside the manifest. @throws {VaultFault} */
export function checkedObjectName(name: string, region: string): string {
  if (name === manifestObjectName || vaultObject.shape.name.safeParse(name).success) return name;
  throw new VaultFault('manifest-invalid', region, `"${name}" can't be the name of an object.`);
}

/** Writes, digests and parses the bytes that a vault keeps as a backup's manifest. */
import { createHash } from 'node:crypto';
import {
  allKeys,
  keysNames,
  manifestObjectName,
  parseStoredManifest,
  type StoredManifest,
  vaultObjectName,
} from '@strongroom/contracts';
import { parseShallow } from './shallow-json.js';
import type { SealedManifest } from './vault.js';
import { VaultFault } from './vault-fault.js';
import { whyUnparsed } from './why-unparsed.js';

export function manifestBytes(manifest: StoredManifest): Buffer {
  return Buffer.from(`${JSON.stringify(parseStoredManifest(manifest), null, 2)}\n`);
}

type ManifestOfBackup = Omit<SealedManifest, 'location'>;

/**
 * A version seals only what it can parse. So bytes that were sealed and can't be parsed were sealed by a newer version.
 * @param sealedSha256 of the bytes that were sealed, when it is known
 * @throws {VaultFault} `manifest-newer`; `manifest-invalid`, also when it is the manifest of another backup
 */
export function parseManifest(
  bytes: Buffer,
  backupId: string,
  region: string,
  sealedSha256?: string,
): ManifestOfBackup {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  try {
    const manifest = parseStoredManifest(parseShallow(bytes));
    if (manifest.backupId !== backupId) throw new Error(`it is that of backup ${manifest.backupId}`);
    return { manifest, bytes, sha256 };
  } catch (error) {
    if (sha256 === sealedSha256) throw newer(backupId, region, error);
    const why = whyUnparsed(error);
    throw new VaultFault(
      'manifest-invalid',
      region,
      `The manifest of backup ${backupId} in the vault of ${region} can't be used: ${why}`,
      { cause: error },
    );
  }
}

/**
 * Reads the manifest of a sealed backup.
 * @param sealed where it lies, and the SHA-256 that was sealed, when it is known
 * @throws {VaultFault} as `parseManifest`; and when it is not the one that was sealed
 */
export async function readManifest(
  reader: { manifest(): Promise<Buffer>; altered(how: string): VaultFault },
  { backupId, region }: { backupId: string; region: string },
  { location, manifestSha256 }: { location: string; manifestSha256?: string | undefined },
): Promise<SealedManifest> {
  const found = parseManifest(await reader.manifest(), backupId, region, manifestSha256);
  if (manifestSha256 !== undefined && found.sha256 !== manifestSha256)
    throw reader.altered(`its ${manifestObjectName} is not the one that was sealed`);
  return { ...found, location };
}

function newer(backupId: string, region: string, cause: unknown): VaultFault {
  const message = `Backup ${backupId} in the vault of ${region} was made by a newer version of Strongroom, and this version can't read it (${whyUnparsed(cause)}). Upgrade Strongroom here, and try again. The backup stays as it is.`;
  return new VaultFault('manifest-newer', region, message, { cause });
}

/** How many bytes a sealed backup takes in a vault, its manifest included. */
export function storedBytes({ manifest, bytes }: Pick<SealedManifest, 'manifest' | 'bytes'>): number {
  return manifest.objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, bytes.length);
}

/** Makes sure that an object's name can only be that of a file beside the manifest. @throws {VaultFault} */
export function checkedObjectName(name: string, region: string): string {
  if (name === manifestObjectName || (vaultObjectName.safeParse(name).success && !isKeysName(name))) return name;
  throw new VaultFault('manifest-invalid', region, `"${name}" can't be the name of an object.`);
}

/** Whether keys of a backup may lie under the name. In a folder, a number is behind it. */
export function isKeysName(name: string): boolean {
  return allKeys.some((of) => name === keysNames[of] || name.startsWith(`${keysNames[of]}.`));
}

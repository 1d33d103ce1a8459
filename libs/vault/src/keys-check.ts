/** Looks whether the keys of an encrypted backup are there, and are its own, as far as that can be told without opening them. */
import { allKeys, isEncrypted, type KeysOf, keysNames, type StoredManifest } from '@strongroom/contracts';
import { EncryptionFault, readKeys } from '@strongroom/encryption';
import type { VaultFault } from './vault-fault.js';

export interface KeysPlace {
  /** @returns undefined when there are none */
  keys(of: KeysOf): Promise<{ bytes: Buffer } | undefined>;
  missing(name: string): VaultFault;
  altered(how: string): VaultFault;
}

/** @throws {VaultFault} `object-missing` or `object-altered`, since nobody can restore the backup without them */
export async function checkKeys(
  place: KeysPlace,
  { manifest, sha256 }: { manifest: StoredManifest; sha256: string },
): Promise<void> {
  if (!isEncrypted(manifest)) return;
  for (const of of allKeys) {
    const name = keysNames[of];
    const found = await place.keys(of);
    if (!found) throw place.missing(name);
    const why = whyOfAnother(found.bytes, of, sha256);
    if (why !== undefined) throw place.altered(`${name}: ${why}`);
  }
}

/** Why keys are not those of the backup with this digest; undefined when they say that they are. */
export function whyOfAnother(bytes: Buffer, of: KeysOf, manifestSha256: string): string | undefined {
  try {
    const told = readKeys(bytes);
    return told.of === of && told.manifestSha256 === manifestSha256 ? undefined : 'they are the keys of something else';
  } catch (error) {
    if (error instanceof EncryptionFault) return error.message;
    throw error;
  }
}

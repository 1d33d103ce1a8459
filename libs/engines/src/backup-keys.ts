/**
 * The keys of an encrypted backup. One opens what the next incremental needs: what is said of the server, and what the engine reads of
 * a parent. The other opens the server's data. A scheduler that builds incrementals needs only the first.
 */
import {
  aboutServer,
  aboutServerName,
  allKeys,
  type EncryptedManifest,
  type EncryptionFormat,
  type KeysOf,
  keysNames,
  type VaultManifest,
  type VaultObject,
} from '@strongroom/contracts';
import {
  EncryptionFault,
  type Identity,
  isFileKeyOf,
  keysHeader,
  newFileKey,
  ObjectCipher,
  openKeys,
  type Recipient,
  type WrappedKey,
  wrapKey,
} from '@strongroom/encryption';
import { type SealedManifest, type Vault, VaultFault, type VaultUpload } from '@strongroom/vault';

/** For whom a backup is encrypted. */
export interface BackupEncryption {
  format: EncryptionFormat;
  /** Those who can open everything. */
  recipients: readonly Recipient[];
  /** Those who can open only what an incremental needs of its parent. */
  chainRecipients: readonly Recipient[];
  /** The keys with which this process opens that of a parent. */
  chainIdentities: readonly Identity[];
}

/** The file keys of one backup, and what is under which. */
export interface FileKeys {
  format: EncryptionFormat;
  /** Undefined where only what an incremental needs was opened. */
  backup?: Buffer | undefined;
  chain: Buffer;
  /** The names of the objects under the key of the chain. */
  forChain: readonly string[];
}

export function newFileKeys(format: EncryptionFormat, forChain: readonly string[]): FileKeys & { backup: Buffer } {
  const keys = { backup: newFileKey(format), chain: newFileKey(format) };
  return { format, ...keys, forChain: [aboutServerName, ...forChain] };
}

/**
 * What encrypts and decrypts an object of the backup, by its full name.
 * @throws {EncryptionFault} `key-missing`, when only the key of the chain was opened
 */
export function cipherOf(
  keys: FileKeys,
  { accountId, backupId }: { accountId: string; backupId: string },
  objectName: string,
): ObjectCipher {
  const key = keys.forChain.includes(objectName) ? keys.chain : keys.backup;
  if (key) return new ObjectCipher(keys.format, key, { accountId, backupId, objectName });
  throw new EncryptionFault(
    'key-missing',
    `${objectName} opens with the key of the whole backup, which was not given.`,
  );
}

/** @throws {EncryptionFault} `key-command-failed`, when a program that keeps a key can't be asked */
export async function wrapKeys(
  keys: { backup: Buffer; chain: Buffer },
  { recipients, chainRecipients }: BackupEncryption,
): Promise<Readonly<Record<KeysOf, WrappedKey>>> {
  return {
    backup: await wrapKey(keys.backup, recipients),
    chain: await wrapKey(keys.chain, [...recipients, ...chainRecipients]),
  };
}

/** Puts the wrapped keys beside the objects. The manifest that they name is the one that is sealed. */
export async function putKeys(
  upload: VaultUpload,
  wrapped: Readonly<Record<KeysOf, WrappedKey>>,
  manifestSha256: string,
): Promise<void> {
  for (const of of allKeys) await upload.putKeys(of, keysHeader(wrapped[of], { of, manifestSha256 }));
}

/**
 * Opens one of the keys of a backup.
 * @throws {EncryptionFault} `key-missing`, which names the keys that open it; `key-command-failed`
 * @throws {VaultFault} `object-missing`, `object-altered`
 */
export async function openKeysOf(
  vault: Vault,
  { manifest: { backupId, encryption }, sha256 }: { manifest: EncryptedManifest; sha256: SealedManifest['sha256'] },
  of: KeysOf,
  identities: readonly Identity[],
): Promise<Buffer> {
  const { region } = vault;
  const found = await vault.keys(backupId, of);
  if (!found) {
    const message = `Backup ${backupId} in the vault of ${region} has no ${keysNames[of]}, without which nobody can open it. Restore from the copy in another region.`;
    throw new VaultFault('object-missing', region, message);
  }
  const altered = (how: string, cause?: unknown) =>
    new VaultFault(
      'object-altered',
      region,
      `${keysNames[of]} of backup ${backupId} in the vault of ${region} is not what was stored: ${how}. Restore from the copy in another region.`,
      { cause },
    );
  try {
    const opened = await openKeys(found.bytes, identities);
    if (opened.of !== of || opened.manifestSha256 !== sha256)
      throw altered('it belongs to something else, or the manifest was changed');
    if (!isFileKeyOf(encryption.format, opened.fileKey)) throw altered('its key is none of the format of the backup');
    return opened.fileKey;
  } catch (error) {
    if (!(error instanceof EncryptionFault)) throw error;
    if (error.code === 'ciphertext-altered') throw altered(error.message, error);
    if (error.code !== 'key-missing') throw error;
    const given = identities.length === 0 ? 'no key was given' : 'none of the given keys opens it';
    const message = `Backup ${backupId} in the vault of ${region} is encrypted, and ${given}. ${error.message} Run: strongroom restore ${backupId} --from ${region} --to FOLDER --identity FILE, where FILE has that key.`;
    const told = `Backup ${backupId} is encrypted, and no key that opens it was at hand. ${error.message}`;
    throw new EncryptionFault('key-missing', message, { cause: error, told });
  }
}

/** The manifest as it would be if the backup were not encrypted. */
export function clearManifest(stored: EncryptedManifest, about: Buffer): VaultManifest {
  const { encryption: _, objects, ...common } = stored;
  const told = aboutServer.parse(JSON.parse(about.toString('utf8')));
  return { ...common, objects: objects.filter(({ name }) => name !== aboutServerName), ...told };
}

export function aboutObjectOf({ objects }: EncryptedManifest): VaultObject {
  const found = objects.find(({ name }) => name === aboutServerName);
  if (!found) throw new TypeError('an encrypted backup tells nothing of its server');
  return found;
}

/**
 * Opens a backup in a vault for an engine: each object is checked against the manifest while it is read, decrypted when the backup is
 * encrypted, and decompressed.
 */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { isEncrypted, messageOf, type VaultManifest, type VaultObject } from '@strongroom/contracts';
import { EncryptionFault, type Identity } from '@strongroom/encryption';
import {
  decompressFrames,
  FrameFault,
  notHeld,
  type SealedManifest,
  SegmentCheck,
  type Vault,
  VaultFault,
} from '@strongroom/vault';
import { aboutObjectOf, cipherOf, clearManifest, type FileKeys, openKeysOf } from './backup-keys.js';
import { decryptObject } from './decrypt-object.js';
import type {
  BackupOptions,
  EngineBackup,
  EngineTarget,
  RestoredFolder,
  RestoreOptions,
  RestoreSource,
} from './engine.js';
import { EngineFault } from './engine-fault.js';

/** What an engine tells of a server is never longer. */
const mostOfAbout = 33_554_432;

/** What a vault says of a backup before any object is read. The SHA-256 of the manifest proves the whole. */
export interface SealedBackup {
  manifest: VaultManifest;
  sha256: string;
  /** The region of the vault. */
  region: string;
  /** What opens the objects; undefined when the backup is not encrypted. */
  keys?: FileKeys | undefined;
}

/** A backup as a restore needs it. */
export interface OpenedBackup extends SealedBackup, RestoreSource {
  /** An object by its full name, as the vault has it: nobody has checked or decompressed it. */
  stored(objectName: string): AsyncIterable<unknown>;
}

/** Takes backups: an engine, or a process of its own that has one. */
export interface BackupTaker {
  /** The objects that an incremental reads of its parent, by their names without a suffix. */
  readonly readByIncrementals: readonly string[];
  backup(target: EngineTarget, options: BackupOptions & { parent?: OpenedBackup | undefined }): Promise<EngineBackup>;
}

/** Restores backups: an engine, or a process of its own that has one. */
export interface Restorer {
  restore(chain: readonly OpenedBackup[], directory: string, options?: RestoreOptions): Promise<RestoredFolder>;
}

export interface OpenOptions {
  /** Ends the reading of every object that is open. */
  signal?: AbortSignal | undefined;
  /** The keys that are tried, when the backup is encrypted. */
  identities?: readonly Identity[] | undefined;
  /** Opens only what an incremental needs of its parent. */
  onlyForChain?: boolean;
}

/**
 * @throws {VaultFault} when the vault does not hold the backup
 * @throws {EncryptionFault} `key-missing`, which names the keys that open it; `key-command-failed`, `algorithm-not-allowed`
 */
export async function openBackup(vault: Vault, backupId: string, options: OpenOptions = {}): Promise<OpenedBackup> {
  const sealed = await vault.manifest(backupId);
  if (!sealed) throw notHeld(backupId, vault.region);
  return openSealed(vault, sealed, options);
}

/** As `openBackup`, when the manifest is known. */
export async function openSealed(
  vault: Vault,
  sealed: SealedManifest,
  { signal, identities = [], onlyForChain = false }: OpenOptions = {},
): Promise<OpenedBackup> {
  const { sha256 } = sealed;
  const { backupId } = sealed.manifest;
  const { region } = vault;
  async function* stored(name: string): AsyncGenerator<unknown> {
    for await (const chunk of vault.read(backupId, name)) {
      if (signal?.aborted) throw new EngineFault('cancelled', 'The restore was cancelled.');
      yield chunk;
    }
  }
  const { manifest } = sealed;
  if (!isEncrypted(manifest)) return openedFrom({ manifest, sha256, region }, stored);
  const { accountId, encryption } = manifest;
  const encrypted = { manifest, sha256 };
  const keys: FileKeys = {
    format: encryption.format,
    ...(!onlyForChain && { backup: await openKeysOf(vault, encrypted, 'backup', identities) }),
    chain: await openKeysOf(vault, encrypted, 'chain', identities),
    forChain: encryption.forChain,
  };
  const about = aboutObjectOf(manifest);
  if (about.rawBytes > mostOfAbout) throw alteredObject(about, { backupId, region })('it is too long');
  const told = await buffer(Readable.from(checked(about, { accountId, backupId, region, keys }, stored(about.name))));
  try {
    return openedFrom({ manifest: clearManifest(manifest, told), sha256, region, keys }, stored);
  } catch (error) {
    throw alteredObject(about, { backupId, region })(messageOf(error));
  }
}

/** @param stored gives an object as the vault has it */
export function openedFrom(sealed: SealedBackup, stored: OpenedBackup['stored']): OpenedBackup {
  const { accountId, backupId } = sealed.manifest;
  const objects = new Map(sealed.manifest.objects.map((object) => [plainName(object.name), object]));
  return {
    ...sealed,
    stored,
    open(name) {
      const object = objects.get(plainName(name));
      if (!object) throw new EngineFault('backup-content-invalid', `Backup ${backupId} has no ${name}.`);
      const { region, keys } = sealed;
      return Readable.from(checked(object, { accountId, backupId, region, keys }, stored(object.name)), {
        objectMode: false,
      });
    },
  };
}

/** Decompresses an object. When it ends without an error, it was the object that the manifest names. */
async function* checked(
  object: VaultObject,
  of: { accountId: string; backupId: string; region: string; keys?: FileKeys | undefined },
  stored: AsyncIterable<unknown>,
): AsyncGenerator<Buffer> {
  const { rawBytes, compression } = object;
  const altered = alteredObject(object, of);
  const check = new SegmentCheck(object, altered);
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of stored) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError('a vault gave no bytes');
      check.update(chunk);
      yield chunk;
    }
  }
  const clear = of.keys ? decryptObject(object, cipherOf(of.keys, of, object.name), hashed()) : hashed();
  let bytes = 0;
  try {
    for await (const chunk of compression === 'zstd' ? decompressFrames(clear) : clear) {
      bytes += chunk.length;
      // It is not waited for the end, which may be very far.
      if (bytes > rawBytes) throw altered(`it holds more than ${rawBytes} bytes`);
      yield chunk;
    }
  } catch (error) {
    const isAltered = error instanceof EncryptionFault && error.code === 'ciphertext-altered';
    throw error instanceof FrameFault || isAltered ? altered(error.message) : error;
  }
  check.end();
  if (bytes !== rawBytes) throw altered(`it holds ${bytes} bytes and should hold ${rawBytes}`);
}

function alteredObject(
  { name }: VaultObject,
  { backupId, region }: { backupId: string; region: string },
): (why: string) => VaultFault {
  return (why) =>
    new VaultFault(
      'object-altered',
      region,
      `${name} of backup ${backupId} in the vault of ${region} is not what was stored: ${why}. Restore from the copy in another region.`,
    );
}

function plainName(name: string): string {
  return name.replace(/\.zst$/, '');
}

/** Opens a backup in a vault for an engine: each object is decompressed, and checked against the manifest while it is read. */
import { Readable } from 'node:stream';
import type { VaultManifest, VaultObject } from '@strongroom/contracts';
import { decompressFrames, FrameFault, notHeld, SegmentCheck, type Vault, VaultFault } from '@strongroom/vault';
import type {
  BackupOptions,
  EngineBackup,
  EngineTarget,
  RestoredFolder,
  RestoreOptions,
  RestoreSource,
} from './engine.js';
import { EngineFault } from './engine-fault.js';

/** What a vault says of a backup before any object is read. The SHA-256 of the manifest proves the whole. */
export interface SealedBackup {
  manifest: VaultManifest;
  sha256: string;
  /** The region of the vault. */
  region: string;
}

/** A backup as a restore needs it. */
export interface OpenedBackup extends SealedBackup, RestoreSource {
  /** An object by its full name, as the vault has it: nobody has checked or decompressed it. */
  stored(objectName: string): AsyncIterable<unknown>;
}

/** Takes backups: an engine, or a process of its own that has one. */
export interface BackupTaker {
  backup(target: EngineTarget, options: BackupOptions & { parent?: OpenedBackup | undefined }): Promise<EngineBackup>;
}

/** Restores backups: an engine, or a process of its own that has one. */
export interface Restorer {
  restore(chain: readonly OpenedBackup[], directory: string, options?: RestoreOptions): Promise<RestoredFolder>;
}

/**
 * @param signal ends the reading of every object that is open
 * @throws {VaultFault} when the vault does not hold the backup
 */
export async function openBackup(vault: Vault, backupId: string, signal?: AbortSignal): Promise<OpenedBackup> {
  const sealed = await vault.manifest(backupId);
  if (!sealed) throw notHeld(backupId, vault.region);
  const { manifest, sha256 } = sealed;
  async function* stored(name: string): AsyncGenerator<unknown> {
    for await (const chunk of vault.read(backupId, name)) {
      if (signal?.aborted) throw new EngineFault('cancelled', 'The restore was cancelled.');
      yield chunk;
    }
  }
  return openedFrom({ manifest, sha256, region: vault.region }, stored);
}

/** @param stored gives an object as the vault has it */
export function openedFrom(sealed: SealedBackup, stored: OpenedBackup['stored']): OpenedBackup {
  const { backupId } = sealed.manifest;
  const objects = new Map(sealed.manifest.objects.map((object) => [plainName(object.name), object]));
  return {
    ...sealed,
    stored,
    open(name) {
      const object = objects.get(plainName(name));
      if (!object) throw new EngineFault('backup-content-invalid', `Backup ${backupId} has no ${name}.`);
      return Readable.from(checked(object, sealed, stored(object.name)), { objectMode: false });
    },
  };
}

/** Decompresses an object. When it ends without an error, it was the object that the manifest names. */
async function* checked(
  object: VaultObject,
  { manifest, region }: SealedBackup,
  stored: AsyncIterable<unknown>,
): AsyncGenerator<Buffer> {
  const { name, rawBytes, compression } = object;
  const altered = (why: string) =>
    new VaultFault(
      'object-altered',
      region,
      `${name} of backup ${manifest.backupId} in the vault of ${region} is not what was stored: ${why}. Restore from the copy in another region.`,
    );
  const check = new SegmentCheck(object, altered);
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of stored) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError('a vault gave no bytes');
      check.update(chunk);
      yield chunk;
    }
  }
  let bytes = 0;
  try {
    for await (const chunk of compression === 'zstd' ? decompressFrames(hashed()) : hashed()) {
      bytes += chunk.length;
      // It is not waited for the end, which may be very far.
      if (bytes > rawBytes) throw altered(`it holds more than ${rawBytes} bytes`);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof FrameFault ? altered(error.message) : error;
  }
  check.end();
  if (bytes !== rawBytes) throw altered(`it holds ${bytes} bytes and should hold ${rawBytes}`);
}

function plainName(name: string): string {
  return name.replace(/\.zst$/, '');
}

/** Opens a backup in a vault for an engine: each object is decompressed, and checked against the manifest while it is read. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { VaultObject } from '@strongroom/contracts';
import { decompressFrames, FrameFault, notHeld, type Vault, VaultFault } from '@strongroom/vault';
import type { RestoreSource } from './engine.js';
import { EngineFault } from './engine-fault.js';

/** A backup as a restore needs it. The SHA-256 of its manifest proves the whole. */
export interface OpenedBackup extends RestoreSource {
  sha256: string;
}

/**
 * @param signal ends the reading of every object that is open
 * @throws {VaultFault} when the vault does not hold the backup
 */
export async function openBackup(vault: Vault, backupId: string, signal?: AbortSignal): Promise<OpenedBackup> {
  const sealed = await vault.manifest(backupId);
  if (!sealed) throw notHeld(backupId, vault.region);
  const { manifest, sha256 } = sealed;
  const objects = new Map(manifest.objects.map((object) => [plainName(object.name), object]));
  return {
    manifest,
    sha256,
    open(name) {
      const object = objects.get(plainName(name));
      if (!object) throw new EngineFault('backup-content-invalid', `Backup ${backupId} has no ${name}.`);
      return Readable.from(checked(object, { vault, backupId, signal }), { objectMode: false });
    },
  };
}

interface Where {
  vault: Vault;
  backupId: string;
  signal: AbortSignal | undefined;
}

/** Decompresses an object. When it ends without an error, it was the object that the manifest names. */
async function* checked(object: VaultObject, { vault, backupId, signal }: Where): AsyncGenerator<Buffer> {
  const { name, sha256, sizeBytes, rawBytes, compression } = object;
  const hash = createHash('sha256');
  const altered = (why: string) =>
    new VaultFault(
      'object-altered',
      vault.region,
      `${name} of backup ${backupId} in the vault of ${vault.region} is not what was stored: ${why}. Restore from the copy in another region.`,
    );
  let storedBytes = 0;
  async function* stored(): AsyncGenerator<Buffer> {
    for await (const chunk of vault.read(backupId, name)) {
      if (signal?.aborted) throw new EngineFault('cancelled', 'The restore was cancelled.');
      storedBytes += chunk.length;
      if (storedBytes > sizeBytes) throw altered(`it is longer than ${sizeBytes} bytes`);
      hash.update(chunk);
      yield chunk;
    }
  }
  let bytes = 0;
  try {
    for await (const chunk of compression === 'zstd' ? decompressFrames(stored()) : stored()) {
      bytes += chunk.length;
      // It is not waited for the end, which may be very far.
      if (bytes > rawBytes) throw altered(`it holds more than ${rawBytes} bytes`);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof FrameFault ? altered(error.message) : error;
  }
  if (hash.digest('hex') !== sha256) throw altered('its SHA-256 differs');
  if (bytes !== rawBytes) throw altered(`it holds ${bytes} bytes and should hold ${rawBytes}`);
}

function plainName(name: string): string {
  return name.replace(/\.zst$/, '');
}

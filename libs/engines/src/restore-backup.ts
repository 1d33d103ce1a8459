/** A backup from a vault into a folder: every object checked against the manifest while it is read. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { DatastoreType, VaultManifest, VaultObject } from '@strongroom/contracts';
import { decompressFrames, FrameFault, notHeld, type Vault, VaultFault } from '@strongroom/vault';
import type { Engine, RestoredFolder } from './engine.js';
import { EngineFault } from './engine-fault.js';
import { PostgresqlEngine } from './postgresql/postgresql-engine.js';

const engines: Readonly<Record<DatastoreType, () => Engine>> = { postgresql: () => new PostgresqlEngine() };

export interface RestoreOptions {
  vault: Vault;
  backupId: string;
  /** Empty, or not there yet. */
  directory: string;
  /** Gets the bytes written since the last call. */
  progress?: (bytes: number) => void;
  /** Ends it: the folder is left empty. */
  signal?: AbortSignal;
}

export interface RestoredBackup extends RestoredFolder {
  manifest: VaultManifest;
}

/** @throws {EngineFault | VaultFault} and leaves the folder empty */
export async function restoreBackup(options: RestoreOptions): Promise<RestoredBackup> {
  const { vault, backupId, directory, progress } = options;
  const sealed = await vault.manifest(backupId);
  if (!sealed) throw notHeld(backupId, vault.region);
  const { manifest } = sealed;
  if (manifest.parentId !== null) {
    throw new EngineFault(
      'backup-content-invalid',
      `Backup ${backupId} is incremental, built on ${manifest.parentId}; only full backups can be restored.`,
    );
  }
  const objects = new Map(manifest.objects.map((object) => [plainName(object.name), object]));
  const open = (name: string) => {
    const object = objects.get(plainName(name));
    if (!object) throw new EngineFault('backup-content-invalid', `Backup ${backupId} has no ${name}.`);
    return Readable.from(checked(object, options), { objectMode: false });
  };
  const restored = await engines[manifest.datastore.type]().restore({ manifest, open }, directory, progress);
  return { ...restored, manifest };
}

/** Decompresses an object; at its end it was the one that the manifest names, or an error is thrown. */
async function* checked(object: VaultObject, { vault, backupId, signal }: RestoreOptions): AsyncGenerator<Buffer> {
  const { name, sha256, rawBytes, compression } = object;
  const hash = createHash('sha256');
  const altered = (why: string) =>
    new VaultFault(
      'object-altered',
      vault.region,
      `${name} of backup ${backupId} in the vault of ${vault.region} is not what was stored: ${why}. Restore from the copy in another region.`,
    );
  async function* stored(): AsyncGenerator<Buffer> {
    for await (const chunk of vault.read(backupId, name)) {
      if (signal?.aborted) throw new EngineFault('cancelled', 'The restore was cancelled.');
      hash.update(chunk);
      yield chunk;
    }
  }
  let bytes = 0;
  try {
    for await (const chunk of compression === 'zstd' ? decompressFrames(stored()) : stored()) {
      bytes += chunk.length;
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

/** Restores a backup from a vault into a folder, with everything that it was built on. */
import type { DatastoreType, VaultManifest } from '@strongroom/contracts';
import type { Identity } from '@strongroom/encryption';
import { notHeld, type SealedManifest, type Vault, VaultFault } from '@strongroom/vault';
import type { RestoredFolder, RestoreOptions } from './engine.js';
import { EngineFault } from './engine-fault.js';
import { type OpenedBackup, openSealed, type Restorer } from './open-backup.js';

/** No schedule makes a chain that is as long. */
const longestChain = 1_000;
/** All manifests of a chain are kept while it is restored, and whoever writes to a vault decides how long they are. */
const mostManifestChars = 33_554_432;

export interface RestoreBackupOptions extends RestoreOptions {
  vault: Vault;
  backupId: string;
  /** An empty folder, or one that is not there yet. */
  directory: string;
  /** The backup's SHA-256, when the caller knows it. Another backup with the same id is not restored. */
  expectedSha256?: string | undefined;
  /** The keys that are tried where a backup is encrypted. */
  identities?: readonly Identity[] | undefined;
  /** What restores it. */
  restorerFor: (type: DatastoreType) => Restorer;
}

export interface RestoredBackup extends RestoredFolder {
  manifest: VaultManifest;
  sha256: string;
  /** The ids of the backups that were put together, the full one first. */
  chain: string[];
}

/**
 * @throws {VaultFault} `object-altered` when the vault no longer has what was stored
 * @throws {EngineFault} when what was stored is no backup that can be restored
 *
 * The folder is left empty then, unless the restore ran in a process of its own that was ended.
 */
export async function restoreBackup({
  vault,
  backupId,
  directory,
  expectedSha256,
  identities,
  restorerFor,
  ...options
}: RestoreBackupOptions): Promise<RestoredBackup> {
  const { signal } = options;
  const chain = await openChain(vault, backupId, { signal, expectedSha256, identities });
  const newest = chain.at(-1) as OpenedBackup;
  const ids = chain.map(({ manifest }) => manifest.backupId);
  const restorer = restorerFor(newest.manifest.datastore.type);
  try {
    const restored = await restorer.restore(chain, directory, options);
    return { ...restored, manifest: newest.manifest, sha256: newest.sha256, chain: ids };
  } catch (error) {
    // Unpacking altered bytes may fail before the object was read to its end, and before its digest is known.
    const isUnusable = error instanceof EngineFault && error.code === 'backup-content-invalid';
    if (isUnusable) for (const id of ids) await vault.verify(id, undefined, signal);
    throw error;
  }
}

export interface ChainOptions {
  signal?: AbortSignal | undefined;
  /** The SHA-256 of the backup that is asked for. */
  expectedSha256?: string | undefined;
}

/**
 * Opens a backup and everything that it was built on, the full one first.
 * @throws {VaultFault} as `findChain`
 * @throws {EncryptionFault} `key-missing`, which names the keys that open a backup of the chain
 */
export async function openChain(
  vault: Vault,
  backupId: string,
  { identities, ...options }: ChainOptions & { identities?: readonly Identity[] | undefined } = {},
): Promise<OpenedBackup[]> {
  const { signal } = options;
  const chain: OpenedBackup[] = [];
  for (const link of await findChain(vault, backupId, options))
    chain.push(await openSealed(vault, link, { signal, identities }));
  return chain;
}

/**
 * Finds a backup and everything that it was built on, the full one first. It needs no key. Where a backup names its parent by its
 * digest, the parent is that one.
 * @throws {VaultFault} naming the backup that the vault does not hold; `object-altered` when one has another digest than it should
 */
export async function findChain(
  vault: Vault,
  backupId: string,
  { signal, expectedSha256 }: ChainOptions = {},
): Promise<SealedManifest[]> {
  const chain: SealedManifest[] = [];
  const opened = new Set<string>();
  let expected = expectedSha256;
  let chars = 0;
  for (let id: string | null = backupId; id !== null; id = chain[0]?.manifest.parentId ?? null) {
    signal?.throwIfAborted();
    const link = await findLink(vault, id, backupId);
    if (expected !== undefined && link.sha256 !== expected) throw isAnother(vault, id, link.sha256, expected);
    chars += JSON.stringify(link.manifest).length;
    if (chars > mostManifestChars) throw tooLong(backupId);
    chain.unshift(link);
    expected = link.manifest.parentSha256 ?? undefined;
    opened.add(id);
    if (chain.length > longestChain || opened.has(link.manifest.parentId ?? '')) {
      throw new EngineFault('backup-content-invalid', `What backup ${backupId} is built on has no beginning.`);
    }
  }
  return chain;
}

function tooLong(backupId: string): EngineFault {
  return new EngineFault(
    'backup-content-invalid',
    `The manifests of backup ${backupId}, and of what it is built on, are longer than those of any backup.`,
  );
}

function isAnother(vault: Vault, id: string, sha256: string, expected: string): VaultFault {
  return new VaultFault(
    'object-altered',
    vault.region,
    `What the vault of ${vault.region} has as backup ${id} is another than was stored: its SHA-256 is ${sha256} and should be ${expected}. Restore from the copy in another region.`,
  );
}

async function findLink(vault: Vault, id: string, wanted: string): Promise<SealedManifest> {
  try {
    const found = await vault.manifest(id);
    if (found) return found;
    throw notHeld(id, vault.region);
  } catch (error) {
    if (id === wanted || !(error instanceof VaultFault)) throw error;
    throw new VaultFault(
      error.code,
      vault.region,
      `Backup ${wanted} can't be restored from ${vault.region} without ${id}, which it is built on: ${error.message}`,
      {
        cause: error,
        told: `Backup ${wanted} can't be restored from ${vault.region} without ${id}, which it is built on: ${error.told}`,
      },
    );
  }
}

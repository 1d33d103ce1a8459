/** A backup from a vault into a folder, with everything that it was built on. */
import type { DatastoreType, VaultManifest } from '@strongroom/contracts';
import { type Vault, VaultFault } from '@strongroom/vault';
import type { Engine, RestoredFolder, RestoreSource } from './engine.js';
import { EngineFault } from './engine-fault.js';
import { openBackup } from './open-backup.js';
import { PostgresqlEngine } from './postgresql/postgresql-engine.js';

const engines: Readonly<Record<DatastoreType, () => Engine>> = { postgresql: () => new PostgresqlEngine() };
/** Longer than any chain that a schedule makes. */
const longestChain = 1_000;

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
  /** The ids of what was put together, the full backup first. */
  chain: string[];
}

/**
 * @throws {VaultFault} `object-altered` when the vault no longer has what was stored
 * @throws {EngineFault} when what was stored is no backup that can be restored
 *
 * Either leaves the folder empty.
 */
export async function restoreBackup({
  vault,
  backupId,
  directory,
  progress,
  signal,
}: RestoreOptions): Promise<RestoredBackup> {
  const chain = await openChain(vault, backupId, signal);
  const newest = chain.at(-1) as RestoreSource;
  const ids = chain.map(({ manifest }) => manifest.backupId);
  const engine = engines[newest.manifest.datastore.type]();
  try {
    return { ...(await engine.restore(chain, directory, progress)), manifest: newest.manifest, chain: ids };
  } catch (error) {
    // What unpacks altered bytes may stumble over them before the object was read to its end and its digest is known.
    const isUnusable = error instanceof EngineFault && error.code === 'backup-content-invalid';
    if (isUnusable) for (const id of ids) await vault.verify(id, undefined, signal);
    throw error;
  }
}

/**
 * The backup and everything that it was built on, the full one first.
 * @throws {VaultFault} naming the link that the vault does not hold
 */
export async function openChain(vault: Vault, backupId: string, signal?: AbortSignal): Promise<RestoreSource[]> {
  const chain: RestoreSource[] = [];
  for (let id: string | null = backupId; id !== null; id = chain[0]?.manifest.parentId ?? null) {
    chain.unshift(await openLink(vault, id, backupId, signal));
    if (chain.length > longestChain) {
      throw new EngineFault('backup-content-invalid', `What backup ${backupId} is built on has no beginning.`);
    }
  }
  return chain;
}

async function openLink(vault: Vault, id: string, wanted: string, signal?: AbortSignal): Promise<RestoreSource> {
  try {
    return await openBackup(vault, id, signal);
  } catch (error) {
    if (id === wanted || !(error instanceof VaultFault)) throw error;
    throw new VaultFault(
      error.code,
      vault.region,
      `Backup ${wanted} can't be restored from ${vault.region} without ${id}, which it is built on: ${error.message}`,
    );
  }
}

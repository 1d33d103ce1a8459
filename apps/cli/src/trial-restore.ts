/** Shows that a backup can be restored: restores it into a folder that is removed again, and has its engine read every table. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Identity } from '@strongroom/encryption';
import { engineFor, type OpenedBackup, type RestoredBackup, type Trial } from '@strongroom/engines';
import type { Vault } from '@strongroom/vault';
import { restoreApart } from './restore-apart.js';

export interface TriedBackup {
  vault: Vault;
  backupId: string;
  expectedSha256?: string | undefined;
  /** The keys that are tried where a backup is encrypted. */
  identities?: readonly Identity[];
  /** A folder with room for all of the backup. Default: where the system keeps temporary files. */
  scratch?: string | undefined;
  /** A folder with the server's programs. Default: those that come with Strongroom. */
  programs?: string | undefined;
  /** What is put together, the full backup first. */
  chain: readonly OpenedBackup[];
  progress: (bytes: number) => void;
  signal: AbortSignal;
}

export interface TriedRestore {
  restored: RestoredBackup;
  read: Trial;
  /** How long it took until the last table was read, rounded up. */
  seconds: number;
}

/** How much a server may write when it starts and recovers. */
const spareBytes = 256 * 1_048_576;

/** Leaves nothing behind. @throws when the backup can't be restored, or a server on it can't be started or read */
export async function tryRestore(options: TriedBackup): Promise<TriedRestore> {
  const { vault, backupId, chain, expectedSha256, identities, programs, progress, signal } = options;
  const begun = performance.now();
  const parent = resolve(options.scratch ?? tmpdir());
  const scratch = await mkdtemp(join(parent, 'strongroom-'));
  try {
    await chmod(scratch, 0o711);
    const data = join(scratch, 'data');
    const how = { directory: data, standsAlone: true, checksPages: true, spareBytes, progress };
    const restored = await restoreApart({ vault, backupId, chain, expectedSha256, identities, ...how }, signal);
    const { type, version } = restored.manifest.datastore;
    const read = await engineFor(type).tryOut({ directory: data, scratch, version, programs, signal });
    return { restored, read, seconds: Math.ceil((performance.now() - begun) / 1_000) };
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

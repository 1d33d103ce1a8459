/** Shows that a backup can be restored: restores it into a folder that is removed again, and has its engine read every table. */
import { chmod, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { engineFor, type RestoredBackup, restoreBackup, type Trial } from '@strongroom/engines';
import type { Vault } from '@strongroom/vault';

export interface TriedBackup {
  vault: Vault;
  backupId: string;
  expectedSha256?: string | undefined;
  /** A folder with room for all of the backup. Default: where the system keeps temporary files. */
  scratch?: string | undefined;
  /** A folder with the server's programs. Default: those that come with Strongroom. */
  programs?: string | undefined;
  /** The size of the whole chain, uncompressed. The restore needs no more room. */
  totalBytes: number;
  progress: (bytes: number) => void;
  signal: AbortSignal;
}

export interface TriedRestore {
  restored: RestoredBackup;
  read: Trial;
}

/** How much a server may write when it starts and recovers. */
const spareBytes = 256 * 1_048_576;

/** Leaves nothing behind. @throws when the backup can't be restored, or a server on it can't be started or read */
export async function tryRestore(options: TriedBackup): Promise<TriedRestore> {
  const { vault, backupId, expectedSha256, programs, progress, signal } = options;
  const parent = resolve(options.scratch ?? tmpdir());
  await refuseUnlessRoom(parent, options.totalBytes + spareBytes);
  const scratch = await mkdtemp(join(parent, 'strongroom-'));
  try {
    await chmod(scratch, 0o711);
    const data = join(scratch, 'data');
    const restored = await restoreBackup({
      vault,
      backupId,
      expectedSha256,
      progress,
      signal,
      directory: data,
      standsAlone: true,
      checksPages: true,
    });
    const { type, version } = restored.manifest.datastore;
    const read = await engineFor(type).tryOut({ directory: data, scratch, version, programs, signal });
    return { restored, read };
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function refuseUnlessRoom(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const room = bavail * bsize;
  if (room >= neededBytes) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new Error(
    `${folder} has room for ${gigabytes(room)}, and the restore may need ${gigabytes(neededBytes)}. Give a folder with more: --scratch DIR`,
  );
}

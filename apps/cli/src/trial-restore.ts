/** A restore into a folder that is removed again, and a server on it whose tables are read: that a backup can be restored, shown. */
import { chmod, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  programsFor,
  type ReadDatabase,
  type RestoredBackup,
  readTables,
  restoreBackup,
  ScratchServer,
} from '@strongroom/engines';
import type { Vault } from '@strongroom/vault';

export interface TrialOptions {
  vault: Vault;
  backupId: string;
  expectedSha256?: string | undefined;
  /** A folder with room for all of the backup; default: where the system keeps temporary files. */
  scratch?: string | undefined;
  /** A folder with the program `postgres`. */
  programs?: string | undefined;
  /** Of the whole chain, uncompressed: at most as much is needed. */
  totalBytes: number;
  progress: (bytes: number) => void;
  signal: AbortSignal;
}

export interface Trial {
  restored: RestoredBackup;
  /** What was read; or why no server was started. */
  read: ReadDatabase[] | { notStarted: string };
}

/** WAL, and what a server writes when it starts. */
const spareBytes = 256 * 1_048_576;

/** @throws when it can't be restored, started or read, and leaves nothing behind */
export async function tryRestore(options: TrialOptions): Promise<Trial> {
  const { vault, backupId, expectedSha256, programs, progress, signal } = options;
  const parent = resolve(options.scratch ?? tmpdir());
  await refuseUnlessRoom(parent, options.totalBytes + spareBytes);
  const scratch = await mkdtemp(join(parent, 'strongroom-'));
  try {
    await chmod(scratch, 0o711);
    const data = join(scratch, 'data');
    const restored = await restoreBackup({
      ...{ vault, backupId, expectedSha256, progress, signal },
      directory: data,
      standsAlone: true,
      checksPages: true,
    });
    const major = Number.parseInt(restored.manifest.datastore.version, 10);
    const found = await programsFor(major, programs);
    if (typeof found === 'string') return { restored, read: { notStarted: found } };
    const outside = restored.outside.length > 0 ? [`${data}.tablespaces`] : [];
    const server = await ScratchServer.start(found, scratch, { data, outside }, major);
    const stop = () => void server.stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      return { restored, read: await readTables(server) };
    } finally {
      signal.removeEventListener('abort', stop);
      await server.stop();
    }
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

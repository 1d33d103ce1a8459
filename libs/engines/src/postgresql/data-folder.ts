/** The folder that a restore fills: empty before, made durable after, emptied again when it fails. */
import { chmod, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EngineFault } from '../engine-fault.js';

/** @throws {EngineFault} `restore-target-unusable` */
export async function openEmpty(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const [found] = await readdir(folder);
    if (found !== undefined) {
      throw new EngineFault(
        'restore-target-unusable',
        `${folder} is not empty: it holds ${found}. Restore into an empty or a new folder.`,
      );
    }
    // PostgreSQL does not start on a folder that others can look into.
    await chmod(folder, 0o700);
  } catch (error) {
    throw targetFault(error, folder);
  }
}

export async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => []))
    await rm(join(folder, name), { recursive: true, force: true });
}

/** All files first and in the end: one by one while they are written takes a journal commit each. */
export async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await sync(path);
  }
  await sync(folder);
}

/** The folder's own name in the one above. */
export async function syncName(folder: string): Promise<void> {
  await sync(dirname(folder));
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** What the file system said becomes a fault that names the folder; any other error stays what it is. */
export function targetFault(error: unknown, folder: string): unknown {
  if (typeof error !== 'object' || error === null || !('syscall' in error)) return error;
  const why = 'message' in error ? error.message : error;
  return new EngineFault(
    'restore-target-unusable',
    `Could not write to ${folder}: ${why}. See that there is room and that you may write there.`,
    { cause: error },
  );
}

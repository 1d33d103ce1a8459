/**
 * Makes the names in a folder durable, as far as its file system can. Some file systems, such as SMB shares, refuse to
 * sync a folder. That is no failure: they make names durable by themselves, or nobody can. Every other error is thrown.
 */
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { codeOf } from './error-code.js';

/** How a file system says that it can't sync a folder, when the folder is open. */
const refusesSync = new Set([
  'EINVAL',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'ENOTTY',
  'EBADF',
  'EPERM',
  'EACCES',
  'EISDIR',
]);
/** How it says that a folder can't be opened as a file, though it may be read. */
const refusesOpen = new Set(['EISDIR', 'EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP']);

/** The operations that `syncFolder` is made of. A caller that watches its file system gives its own. */
export interface FolderOperations<Path = string> {
  open(path: Path): Promise<{ sync(): Promise<void>; close(): Promise<void> }>;
  isReadable(path: Path): Promise<boolean>;
}

const plain: FolderOperations<string | Buffer> = {
  open: (path) => open(path, 'r'),
  isReadable: (path) =>
    access(path, constants.R_OK).then(
      () => true,
      () => false,
    ),
};

/** @returns false when the file system can't sync folders: after a power cut, the newest names may be missing there */
export async function syncFolder<Path extends string | Buffer>(
  path: Path,
  operations: FolderOperations<Path> = plain,
): Promise<boolean> {
  const folder = await operations.open(path).catch(async (error: unknown) => {
    // A folder that this process may not read is refused for that reason, by every file system.
    if (refusesOpen.has(codeOf(error)) && (await operations.isReadable(path))) return undefined;
    throw error;
  });
  if (!folder) return false;
  try {
    await folder.sync();
    return true;
  } catch (error) {
    if (refusesSync.has(codeOf(error))) return false;
    throw error;
  } finally {
    await folder.close();
  }
}

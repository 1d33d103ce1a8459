/**
 * Works on files where a server on a stranger's data may have put something else by now: a link that leads elsewhere, a pipe, a tree deeper
 * than a path can be long. Nothing is followed, and nothing is waited for.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { serverEnvironment } from '@strongroom/server-processes';

const run = promisify(execFile);
const openToRead = 0o644;

/** Writes a file that every user may read, whatever the umask says. What had its name is replaced, and not written to. */
export async function writeShared(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  await removeTree(fresh);
  const file = await open(fresh, 'wx', openToRead);
  try {
    await file.writeFile(text);
    await file.chmod(openToRead);
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}

/** Reads the beginning of a file. Undefined where there is none, or something else has its name. */
export async function readHead(path: string, mostBytes: number): Promise<Buffer | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(() => undefined);
  if (!file) return undefined;
  try {
    if (!(await file.stat()).isFile()) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(mostBytes), 0, mostBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * Removes a file or a folder with everything in it. The program goes from folder to folder by what it has opened. Node goes by paths, on which
 * another guest could put a link meanwhile.
 */
export async function removeTree(path: string): Promise<void> {
  // Nearly always there is nothing, or a file.
  if (
    await rm(path, { force: true }).then(
      () => true,
      () => false,
    )
  )
    return;
  await run('rm', ['-rf', '--', path], { cwd: '/', env: serverEnvironment });
}

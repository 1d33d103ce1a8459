/** The command that confines a built server by bubblewrap, as docs/operations.md shows it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { lacks } from './outside-parts.js';

const run = promisify(execFile);

export const bubblewrap =
  '/usr/bin/bwrap --unshare-user --unshare-ipc --unshare-pid --unshare-uts --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp --ro-bind {programs} {programs} --ro-bind {folder} {folder} --bind {folder}/data {folder}/data --bind-try {folder}/data.tablespaces {folder}/data.tablespaces --'.split(
    ' ',
  );

/** Whether it works here for a user without rights. */
export async function hasBubblewrap(): Promise<boolean> {
  const isRoot = process.getuid?.() === 0;
  try {
    const [program = '', ...args] = bubblewrap.map((part) => part.replace(/\{\w+\}.*/, '/usr'));
    await run(program, [...args, '/usr/bin/id'], { cwd: '/', ...(isRoot && { uid: 65_534, gid: 65_534 }) });
    return true;
  } catch (error) {
    lacks('bubblewrap', `bwrap does not run here: ${error instanceof Error ? error.message.split('\n')[0] : error}.`);
    return false;
  }
}

/**
 * A folder that one restore fills: empty before, nobody else's while it lasts, and emptied again of what it has made when
 * it fails. Who holds it says so in a file within: where that file is left, the folder is not whole.
 */
import { chmod, mkdir, open, opendir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { EngineFault } from '../../engine-fault.js';
import { pathIn, shown } from './byte-path.js';
import { isRunning, type RunningProcess, thisProcess } from './running-process.js';

/** In each folder that is being restored into, until all is in it but the name of pg_control. */
export const holdName = 'strongroom.restoring';
/** What `global/pg_control` is called before a restore's last act. */
export const heldControlName = 'global/pg_control.restoring';

/** What PostgreSQL takes for the same, and what else is seen. */
const notForFolders: ReadonlySet<unknown> = new Set(['EINVAL', 'EBADF', 'ENOTSUP', 'EISDIR']);

const hold = z.object({
  backupId: z.string(),
  begunAt: z.string(),
  host: z.string(),
  pid: z.int(),
  processBegun: z.string().nullable(),
});

export class HeldFolder {
  /** What the restore made, by its name in the folder. */
  private readonly made = new Set<string>();

  private constructor(readonly path: string) {}

  /** @throws {EngineFault} `restore-target-unusable`, and nothing was touched */
  static async hold(path: string, backupId: string): Promise<HeldFolder> {
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await refuseUnlessEmpty(path);
      await writeHold(path, backupId);
      await refuseUnlessEmpty(path, holdName).catch(async (error: unknown) => {
        await unlink(join(path, holdName));
        throw error;
      });
      // PostgreSQL does not start on a folder that others can look into.
      await chmod(path, 0o700);
      return new HeldFolder(path);
    } catch (error) {
      throw targetFault(error, path);
    }
  }

  /** @param name of what was made in it */
  note(name: string): void {
    this.made.add(name);
  }

  /** All that was made in it is durable before, but for the folder's own list of it. */
  async release(): Promise<void> {
    await unlink(join(this.path, holdName));
    await syncFolder(this.path);
  }

  /** After a failure. What others have put there meanwhile stays. */
  async giveUp(): Promise<void> {
    for (const name of this.made) await rm(pathIn(this.path, name), { recursive: true, force: true });
    await rm(join(this.path, holdName), { force: true });
  }
}

async function writeHold(path: string, backupId: string): Promise<void> {
  const { pid, begun } = thisProcess();
  const said: z.infer<typeof hold> = {
    backupId,
    begunAt: new Date().toISOString(),
    host: hostname(),
    pid,
    processBegun: begun,
  };
  try {
    const file = await open(join(path, holdName), 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(said)}\n`);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST')
      throw await heldBy(path);
    throw error;
  }
}

async function refuseUnlessEmpty(path: string, but?: string): Promise<void> {
  let found: string | undefined;
  for await (const { name } of await opendir(path, { encoding: 'latin1' })) {
    if (name === but) continue;
    if (name === holdName) throw await heldBy(path);
    found = name;
  }
  if (found === undefined) return;
  if (await isThere(join(path, heldControlName))) {
    throw new EngineFault(
      'restore-target-unusable',
      `${path} holds what is left of a restore that was cut off: no server starts on it. ${howToEmpty(path)}`,
    );
  }
  throw new EngineFault(
    'restore-target-unusable',
    `${path} is not empty: it holds ${shown(found)}. Restore into an empty or a new folder.`,
  );
}

async function heldBy(path: string): Promise<EngineFault> {
  const unusable = (what: string) => new EngineFault('restore-target-unusable', what);
  let by: z.infer<typeof hold>;
  try {
    by = hold.parse(JSON.parse(await readFile(join(path, holdName), 'utf8')));
  } catch {
    return unusable(`Another restore is going on in ${path}, or was cut off there. If none is: ${howToEmpty(path)}`);
  }
  const holder: RunningProcess = { pid: by.pid, begun: by.processBegun };
  const what = `backup ${by.backupId} since ${by.begunAt}`;
  if (by.host !== hostname()) {
    return unusable(
      `Process ${by.pid} of host ${by.host} restores ${what} into ${path}, or was cut off there. If it no longer runs: ${howToEmpty(path)}`,
    );
  }
  if (isRunning(holder))
    return unusable(`Process ${by.pid} restores ${what} into ${path}. Restore into another folder.`);
  return unusable(
    `${path} holds what is left of a restore of ${what} that was cut off: no server starts on it. ${howToEmpty(path)}`,
  );
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** The folder may be a mount point, which can't be removed itself. */
function howToEmpty(path: string): string {
  return `Empty the folder, and restore again: find ${quoted(path)} -mindepth 1 -delete`;
}

/** As a shell takes it for one word. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export async function sync(path: Buffer | string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What is called how in a folder. Some file systems, SMB's among them, have no such thing and say so: it is durable as they see fit. */
export async function syncFolder(path: Buffer | string): Promise<void> {
  try {
    await sync(path);
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    if (!notForFolders.has(code)) throw error;
  }
}

/** The folder's own name in the one above. */
export async function syncName(folder: string): Promise<void> {
  await syncFolder(dirname(folder));
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

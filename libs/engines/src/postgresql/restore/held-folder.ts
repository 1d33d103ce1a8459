/**
 * A folder that one restore fills. It is empty before and nobody else's meanwhile, and the restore removes what it has made
 * when it fails. A file in the folder says which restore holds it. Where that file is left, the folder is not whole.
 */
import { chmod, mkdir, open, opendir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { syncFolder } from '@strongroom/vault';
import { z } from 'zod';
import { EngineFault } from '../../engine-fault.js';
import { pathIn, shown } from './byte-path.js';
import { isRunning, type RunningProcess, thisProcess } from './running-process.js';

/** The file that says who holds the folder. It stays until everything is there but the name of pg_control. */
export const holdName = 'strongroom.restoring';
/** The name of `global/pg_control` before a restore's last act. */
export const heldControlName = 'global/pg_control.restoring';

const hold = z.object({
  backupId: z.string(),
  begunAt: z.string(),
  host: z.string(),
  pid: z.int(),
  processBegun: z.string().nullable(),
});

export class HeldFolder {
  /** What the restore has made, by its name in the folder. */
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
      // PostgreSQL refuses to start on a folder that others can look into.
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

  /** Called when everything in it is durable but the folder's own list of names. */
  async release(): Promise<void> {
    await unlink(join(this.path, holdName));
    await syncFolder(this.path);
  }

  /** Removes what the restore has made, after a failure. What others have put there meanwhile stays. */
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

/** The command empties the folder and leaves it, since a mount point can't be removed. */
function howToEmpty(path: string): string {
  return `Empty the folder, and restore again: find ${quoted(path)} -mindepth 1 -delete`;
}

/** The word in quotes, so that a shell reads it as one word. */
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

/** Makes the folder's own name durable, in the folder above. */
export async function syncName(folder: string): Promise<void> {
  await syncFolder(dirname(folder));
}

const nextFor: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'Its disk is full: restore to one with more room.'],
  ['EDQUOT', 'The quota of this user is used up there.'],
  ['EACCES', 'This user may not write there.'],
  ['EPERM', 'This user may not do that there.'],
  ['EROFS', 'Its file system is mounted read-only.'],
]);

/** Turns an error of the file system into a fault that names the folder. Any other error stays as it is. */
export function targetFault(error: unknown, folder: string): unknown {
  if (typeof error !== 'object' || error === null || !('syscall' in error)) return error;
  const why = 'message' in error ? String(error.message) : String(error);
  const code = 'code' in error ? String(error.code) : '';
  const next = nextFor.get(code);
  return new EngineFault(
    'restore-target-unusable',
    [`Could not write to ${folder}: ${why}.`, ...(next === undefined ? [] : [next])].join(' '),
    { cause: error },
  );
}

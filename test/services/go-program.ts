/** Programs in Go that tests drive, each a module of its own under `test/`. Go fetches what they use, once, by their `go.sum`. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, posix } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';
import { lacks } from './outside-parts.js';

const run = promisify(execFile);
const tries = 3;
const lookMs = 250;
const root = join(__dirname, '..', '..');

export interface GoProgram {
  /** The program's file. */
  path: string;
  remove(): Promise<void>;
}

/**
 * Builds a program. Undefined, with a message, where there is no Go of its version, or its modules cannot be fetched.
 * @param module the folder under `test/`
 * @throws when REQUIRE_GO=1 and it cannot be built
 */
export async function goProgram(module: string): Promise<GoProgram | undefined> {
  const folder = await mkdtemp(join(tmpdir(), `strongroom-${module}-`));
  const remove = () => rm(folder, { recursive: true, force: true });
  const path = join(folder, module);
  const failed = await built(path, join(__dirname, '..', module), '.');
  if (failed === undefined) return { path, remove };
  await remove();
  return lacks('go', failed);
}

export type GoTool = { path: string; why?: undefined } | { path?: undefined; why: string };

/**
 * The program of a module that is not ours, which is built once, and kept. It is waited for, because what is tested depends on it.
 * @param folder of the repository, whose `go.mod` names the version and whose `go.sum` has the digests
 * @param module whose program it is
 * @param program the package of the program in that module
 */
export function goTool(folder: string, module: string, program: string): GoTool {
  const path = join(root, '.strongroom', `${basename(folder)}-${versionOf(module, folder)}`);
  while (!existsSync(path)) {
    if (takes(`${path}.pid`)) return buildTool(posix.join(module, program), folder, path);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lookMs);
  }
  return { path };
}

function versionOf(module: string, folder: string): string {
  const lines = readFileSync(join(root, folder, 'go.mod'), 'utf8').split('\n');
  const words = lines.map((line) =>
    line
      .replace(/^require /, '')
      .trim()
      .split(' '),
  );
  const version = words.find(([name]) => name === module)?.[1]?.replace(/^v/, '');
  if (version === undefined) throw new Error(`${folder}/go.mod does not name the version of ${module}`);
  return version;
}

function buildTool(program: string, folder: string, path: string): GoTool {
  const unfinished = `${path}.${process.pid}`;
  // Nobody debugs it: without its tables for debuggers it is linked sooner.
  const build = ['build', '-trimpath', '-ldflags=-s -w', '-o', unfinished, program];
  try {
    const { error, status, stderr } = spawnSync('go', build, {
      cwd: join(root, folder),
      env: goEnvironment(),
      encoding: 'utf8',
    });
    if (status !== 0)
      return { why: error ? 'there is no Go here' : `${program} can't be built: ${stderr.slice(-300)}` };
    renameSync(unfinished, path);
    return { path };
  } finally {
    rmSync(`${path}.pid`, { force: true });
  }
}

/**
 * Whether this process is the one that builds. Of several workers one does, because each would compile the same for minutes. The
 * others wait, and one of them takes the place of a process that has ended.
 */
function takes(lock: string): boolean {
  mkdirSync(dirname(lock), { recursive: true });
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    linkSync(mine, lock);
    return true;
  } catch {
    if (!isAlive(holderOf(lock))) rmSync(lock, { force: true });
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** @returns its process; 0 where it has just let go */
function holderOf(lock: string): number {
  try {
    return Number(readFileSync(lock, 'utf8'));
  } catch {
    return 0;
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** @returns why it can't be built */
async function built(path: string, folder: string, program: string): Promise<string | undefined> {
  for (let left = tries; ; left -= 1) {
    try {
      await run('go', ['build', '-trimpath', '-o', path, program], { cwd: folder, env: goEnvironment() });
      return undefined;
    } catch (error) {
      const hasNoGo = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (hasNoGo) return 'there is no Go here';
      if (left === 1) return `${program} can't be built: ${messageOf(error)}`;
      await delay(2_000);
    }
  }
}

function goEnvironment(): NodeJS.ProcessEnv {
  // Go would otherwise fetch another Go when this one is too old.
  return { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', GOWORK: 'off', CGO_ENABLED: '0' };
}

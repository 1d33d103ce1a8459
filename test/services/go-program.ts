/** Programs in Go that tests drive, each a module of its own under `test/`. Go fetches what they use, once, by their `go.sum`. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';
import { lacks } from './outside-parts.js';

const run = promisify(execFile);
const tries = 3;

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
 */
export function goTool(folder: string, program: string): GoTool {
  const root = join(__dirname, '..', '..');
  const required = readFileSync(join(root, folder, 'go.mod'), 'utf8').matchAll(/^(?:require|\t)\s*(\S+) v(\S+)/gm);
  const version = [...required].find(([, module = '']) => program.startsWith(`${module}/`))?.[2];
  const path = join(root, '.strongroom', `${basename(folder)}-${version}`);
  if (existsSync(path)) return { path };
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  const build = ['build', '-trimpath', '-o', unfinished, program];
  const { error, status, stderr } = spawnSync('go', build, {
    cwd: join(root, folder),
    env: goEnvironment(),
    encoding: 'utf8',
  });
  if (status === 0) {
    renameSync(unfinished, path);
    return { path };
  }
  return { why: error ? 'there is no Go here' : `${program} can't be built: ${stderr.slice(-300)}` };
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

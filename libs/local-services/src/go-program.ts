/**
 * Programs in Go that are not ours: servers of `npm start`, of tests and of measurements. Go builds each once, from the version and the
 * digests that a `go.mod` and its `go.sum` name, into a folder that all of them share; else there is a reason why it is not here.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { lastWords, outputOf, ProgramFault, runMoving } from '@strongroom/server-processes';
import { z } from 'zod';

const run = promisify(execFile);
const notThere = z.object({ code: z.literal('ENOENT') });
const installGo = 'install Go 1.25 or newer (https://go.dev/doc/install) and start again';
const reachProxy =
  'let Go reach its module proxy (go env GOPROXY) and start again; what it has fetched and built is kept';
const lookMs = 250;

export interface GoSource {
  /** The folder with `go.mod` and `go.sum`. The program is called like it. */
  folder: string;
  /** The module that the program is of, such as `github.com/versity/versitygw`. */
  module: string;
  /** The program's package in that module; empty where it is the module itself. */
  program: string;
  /** What the program is built without, or with, where its module has such a choice. */
  tags?: readonly string[];
}

export type GoProgramFound =
  | { path: string; version: string; reason?: undefined }
  /** `remedy` completes the sentence `To have one, …`. */
  | { path?: undefined; version: string; reason: string; remedy: string };

export interface FindGoOptions {
  /** Called before it is built, which takes a minute or more. */
  onBuild?: () => void;
  signal?: AbortSignal;
  /** The environment whose `PATH` leads to Go. */
  env?: NodeJS.ProcessEnv;
}

/**
 * Finds a program, or builds it.
 * @param cache a folder to keep programs in, shared by every run
 * @throws {Error} when `go.mod` does not name the module; the signal's reason
 */
export async function findGoProgram(
  cache: string,
  source: GoSource,
  { onBuild, signal, env = process.env }: FindGoOptions = {},
): Promise<GoProgramFound> {
  const { name, version, path, unfinished, build } = planOf(cache, source);
  if (existsSync(path)) return { path, version };
  const ofGo = goEnvironment(env);
  const noGo = await whyNoGo(name, ofGo);
  if (noGo !== undefined) return { version, reason: noGo, remedy: installGo };
  onBuild?.();
  try {
    await runMoving({ program: 'go', args: build, env: ofGo, signal });
    renameSync(unfinished, path);
    return { path, version };
  } catch (error) {
    if (!(error instanceof ProgramFault)) throw error;
    const isOld = /requires go >= \S+/.exec(error.text)?.[0];
    if (isOld !== undefined) return { version, reason: `Go is too old: its version ${isOld}`, remedy: installGo };
    return { version, reason: `Go could not build ${name} ${version}: ${error.message}`, remedy: reachProxy };
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/**
 * The same, for who can't wait but by blocking: suites are made before any test runs. Of several processes one builds, because each would
 * compile the same for minutes; another one takes the place of a process that has ended.
 */
export function goProgramNow(cache: string, source: GoSource): GoProgramFound {
  const plan = planOf(cache, source);
  const { version, path } = plan;
  while (!existsSync(path)) {
    if (takes(`${path}.pid`)) return builtNow(plan);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lookMs);
  }
  return { path, version };
}

/** @param env whose `PATH` leads to Go */
export function goEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  // Go would otherwise fetch another Go when this one is too old.
  return { ...env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', GOWORK: 'off', CGO_ENABLED: '0' };
}

type Plan = ReturnType<typeof planOf>;

function planOf(cache: string, { folder, module, program, tags = [] }: GoSource) {
  const words = readFileSync(join(folder, 'go.mod'), 'utf8')
    .split('\n')
    .map((line) => line.replace(/^require /, '').trim())
    .map((line) => line.split(' '));
  const version = words.find(([name]) => name === module)?.[1]?.replace(/^v/, '');
  if (version === undefined) throw new Error(`${folder}/go.mod does not name the version of ${module}`);
  mkdirSync(cache, { recursive: true });
  const name = basename(folder);
  const path = join(cache, `${name}-${version}`);
  const unfinished = `${path}.${process.pid}`;
  const target = program === '' ? module : `${module}/${program}`;
  // Nobody debugs it: without its tables for debuggers it is linked sooner.
  const choice = tags.length === 0 ? [] : [`-tags=${tags.join(',')}`];
  const build = ['build', '-C', folder, '-trimpath', '-ldflags=-s -w', ...choice, '-o', unfinished, target];
  return { name, version, path, unfinished, build };
}

function builtNow({ name, version, path, unfinished, build }: Plan): GoProgramFound {
  try {
    const { error, status, stderr } = spawnSync('go', build, { env: goEnvironment(), encoding: 'utf8' });
    if (status !== 0) {
      const reason = error ? `there is no Go to build ${name} with` : `${name} can't be built: ${lastWords(stderr)}`;
      return { version, reason, remedy: error ? installGo : reachProxy };
    }
    renameSync(unfinished, path);
    return { path, version };
  } finally {
    rmSync(unfinished, { force: true });
    rmSync(`${path}.pid`, { force: true });
  }
}

/** Whether this process is the one that builds. */
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

async function whyNoGo(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    await run('go', ['version'], { env });
    return undefined;
  } catch (error) {
    if (notThere.safeParse(error).success) return `there is no Go to build ${name} with`;
    const { message, stderr } = outputOf(error);
    return `Go does not run: ${lastWords(stderr) || message}`;
  }
}

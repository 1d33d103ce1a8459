/**
 * Finds the program of Versity S3 Gateway. Go builds it once, from the version and the digests that `go.mod` and `go.sum` name; else
 * there is a reason why it is not here, and what to do about it.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { lastWords, outputOf, ProgramFault, runMoving } from '@strongroom/server-processes';
import { z } from 'zod';

const run = promisify(execFile);
const notThere = z.object({ code: z.literal('ENOENT') });
const installGo = 'install Go 1.25 or newer (https://go.dev/doc/install) and start again';
const reachProxy =
  'let Go reach its module proxy (go env GOPROXY) and start again; what it has fetched and built is kept';

export type VersityFound =
  | { program: string; reason?: undefined }
  /** `remedy` completes the sentence `To have one, …`. */
  | { program?: undefined; reason: string; remedy: string };

export interface FindVersityOptions {
  /** Called before it is built, which takes a minute or more. */
  onBuild?: () => void;
  signal?: AbortSignal;
  /** The environment whose `PATH` leads to Go. */
  env?: NodeJS.ProcessEnv;
}

/**
 * @param cache a folder to keep the program in, shared by every run
 * @param sources the folder with `go.mod` and `go.sum`
 */
export async function findVersity(
  cache: string,
  sources: string,
  { onBuild, signal, env = process.env }: FindVersityOptions = {},
): Promise<VersityFound> {
  const version = /versity\/versitygw v(\S+)/.exec(readFileSync(join(sources, 'go.mod'), 'utf8'))?.[1] ?? '';
  const program = join(cache, `versitygw-${version}`);
  if (existsSync(program)) return { program };
  // Go would otherwise fetch another Go when this one is too old.
  const ofGo = { ...env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', GOWORK: 'off', CGO_ENABLED: '0' };
  const noGo = await whyNoGo(ofGo);
  if (noGo !== undefined) return { reason: noGo, remedy: installGo };
  onBuild?.();
  mkdirSync(cache, { recursive: true });
  const unfinished = `${program}.${randomBytes(4).toString('hex')}`;
  const build = ['build', '-C', sources, '-trimpath', '-o', unfinished, 'github.com/versity/versitygw/cmd/versitygw'];
  try {
    await runMoving({ program: 'go', args: build, env: ofGo, signal });
    renameSync(unfinished, program);
    return { program };
  } catch (error) {
    if (!(error instanceof ProgramFault)) throw error;
    const isOld = /requires go >= \S+/.exec(error.text)?.[0];
    if (isOld !== undefined) return { reason: `Go is too old: its version ${isOld}`, remedy: installGo };
    return { reason: `Go could not build Versity S3 Gateway ${version}: ${error.message}`, remedy: reachProxy };
  } finally {
    rmSync(unfinished, { force: true });
  }
}

async function whyNoGo(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    await run('go', ['version'], { env });
    return undefined;
  } catch (error) {
    if (notThere.safeParse(error).success) return 'there is no Go to build Versity S3 Gateway with';
    const { message, stderr } = outputOf(error);
    return `Go does not run: ${lastWords(stderr) || message}`;
  }
}

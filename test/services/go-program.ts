/** Programs in Go that tests drive, each a module of its own under `test/`. Go fetches what they use, once, by their `go.sum`. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';
import { type GoSource, goEnvironment, goProgramNow, versitySource } from '@strongroom/local-services';
import { lacks } from './outside-parts.js';

const run = promisify(execFile);
const tries = 3;
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
 * @param tags that the program is built with
 */
export function goTool(folder: string, module: string, program: string, tags: readonly string[] = []): GoTool {
  return toolOf({ folder: join(root, folder), module, program, tags });
}

/** Versity S3 Gateway. */
export function versityTool(): GoTool {
  return toolOf(versitySource(root));
}

function toolOf(source: GoSource): GoTool {
  const { path, reason } = goProgramNow(join(root, '.strongroom'), source);
  return path === undefined ? { why: reason } : { path };
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

/** Programs in Go that tests drive, each a module of its own under `test/`. Go fetches what they use, once, by their `go.sum`. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  for (let left = tries; ; left -= 1) {
    try {
      // Go would otherwise fetch another Go when this one is too old.
      const env = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', GOWORK: 'off', CGO_ENABLED: '0' };
      await run('go', ['build', '-o', path, '.'], { cwd: join(__dirname, '..', module), env });
      return { path, remove };
    } catch (error) {
      const hasNoGo = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (left > 1 && !hasNoGo) {
        await delay(2_000);
        continue;
      }
      await remove();
      return lacks('go', hasNoGo ? 'there is no Go here' : `test/${module} can't be built: ${messageOf(error)}`);
    }
  }
}

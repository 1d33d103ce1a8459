/** A data folder has one launcher. A second launcher learns who has the folder. */
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, pidOf } from '@strongroom/server-processes';

/** Another launcher has the folder. */
export class FolderTaken extends Error {
  override readonly name = 'FolderTaken';
}

const tries = 3;

export class LauncherLock {
  private constructor(private readonly path: string) {}

  /** @throws {FolderTaken} naming the other launcher's pid and port */
  static take(folder: string, port: number): LauncherLock {
    const path = join(folder, 'launcher.pid');
    const mine = `${path}.${process.pid}`;
    writeFileSync(mine, `${identityOf(process.pid)}\n${port}\n`);
    try {
      for (let tried = 0; tried < tries; tried += 1) {
        if (linked(mine, path)) return new LauncherLock(path);
        const [identity = '', itsPort = ''] = readIfThere(path).split('\n');
        const pid = pidOf(identity);
        if (pid !== undefined) {
          throw new FolderTaken(
            `another npm start (pid ${pid}, port ${itsPort}) runs on ${folder}. Stop it, or start this one beside it: npm start -- --port ${port + 1} --data .strongroom-2`,
          );
        }
        rmSync(path, { force: true });
      }
      throw new FolderTaken(`other launchers want ${folder} at the same moment. Start again.`);
    } finally {
      rmSync(mine, { force: true });
    }
  }

  release(): void {
    rmSync(this.path, { force: true });
  }
}

/** Makes the file appear whole under its name. @returns false when another file is there */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

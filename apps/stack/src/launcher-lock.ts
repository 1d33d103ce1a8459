/** One launcher a data folder: a second one is told who has it. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class LauncherLock {
  private constructor(private readonly path: string) {}

  /** @throws when another launcher runs on the folder */
  static take(folder: string): LauncherLock {
    const path = join(folder, 'launcher.pid');
    const mine = `${process.pid} ${startOf(process.pid)}`;
    if (existsSync(path)) {
      const [pid = '', start = ''] = readFileSync(path, 'utf8').split(' ');
      if (start !== '' && startOf(Number(pid)) === start) {
        throw new Error(
          `another npm start (pid ${pid}) runs on ${folder}. Stop it, or start this one with --data and --port.`,
        );
      }
    }
    writeFileSync(path, mine);
    return new LauncherLock(path);
  }

  release(): void {
    rmSync(this.path, { force: true });
  }
}

/** When a process began, as the system tells it: a pid alone may by now be another program's. */
function startOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19] ?? '';
  } catch {
    return isAlive(pid) && !existsSync('/proc') ? 'alive' : '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * A disk of a few megabytes, mounted over a folder, so that a test can fill it. Mounting needs root, or a sudo that asks for
 * no password. With REQUIRE_SMALL_DISK=1 the run fails when there is neither.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { lacks } from './outside-parts.js';

/** The words before `mount` in the command; undefined when nobody here may mount. */
function mountedBy(): string[] | undefined {
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined;
}

/** Whether the run has a small disk. @throws when it is required and there is none */
export function canMount(): boolean {
  if (mountedBy()) return true;
  lacks('small-disk', 'a small disk can be mounted by root only, or with a sudo that asks for no password');
  return false;
}

export class SmallDisk {
  private constructor(private readonly folder: string) {}

  static mount(folder: string, megabytes: number): SmallDisk {
    const owner = `uid=${process.getuid?.() ?? 0},gid=${process.getgid?.() ?? 0}`;
    run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m,${owner}`, 'strongroom-test', folder);
    return new SmallDisk(folder);
  }

  growTo(megabytes: number): void {
    run('mount', '-o', `remount,size=${megabytes}m`, this.folder);
  }

  unmount(): void {
    run('umount', this.folder);
  }
}

function run(...command: [string, ...string[]]): void {
  const [program, ...args] = [...(mountedBy() ?? []), ...command];
  execFileSync(program ?? '', args);
}

/** Identifies a process by its id and by when it began: another process may get the same id later. */
import { readFileSync } from 'node:fs';

export interface RunningProcess {
  pid: number;
  /** When it began, in the system's ticks. Null where the system does not tell. */
  begun: string | null;
}

export function thisProcess(): RunningProcess {
  return { pid: process.pid, begun: begunOf(process.pid) };
}

export function isRunning({ pid, begun }: RunningProcess): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    const isOthers = typeof error === 'object' && error !== null && 'code' in error && error.code === 'EPERM';
    if (!isOthers) return false;
  }
  return begun === begunOf(pid);
}

/** What the system says of a process that has ended, as long as nobody has asked how. In a container nobody may ever ask. */
const ended: ReadonlySet<string | undefined> = new Set(['Z', 'X']);

/** When a process began, with the id of the boot, since ticks begin anew with each. It is field 22; the name before may hold spaces. */
function begunOf(pid: number): string | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    if (ended.has(fields[0])) return 'ended';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
  } catch {
    return null;
  }
}

/** A process by its id and by when it began: a process id alone is given anew. */
import { readFileSync } from 'node:fs';

export interface RunningProcess {
  pid: number;
  /** In the system's own ticks; null where the system does not tell. */
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

/** With the id of the boot, since ticks begin anew with it. Field 22; the second one, a name, may hold spaces. */
function begunOf(pid: number): string | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
  } catch {
    return null;
  }
}

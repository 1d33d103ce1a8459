/**
 * Identifies a process. A pid alone may belong to another program by now. A pid together with the start of its process
 * means one process for ever.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceFault } from './service-fault.js';

const hasProc = existsSync('/proc/self/stat');
const lookMs = 25;
const forceMs = 5_000;

/** Gives `pid start`; undefined when no such process runs. A process that has ended does not run, even as a zombie. */
export function identityOf(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid < 1) return undefined;
  const start = hasProc ? startInProc(pid) : startInPs(pid);
  return start === undefined ? undefined : `${pid} ${start}`;
}

/** The pid of an identity; undefined when its process does not run any more. */
export function pidOf(identity: string): number | undefined {
  const pid = Number(identity.split(' ')[0]);
  return identityOf(pid) === identity ? pid : undefined;
}

/** The program and its arguments, separated by spaces; undefined when no such process runs. */
export function commandLineOf(pid: number): string | undefined {
  if (identityOf(pid) === undefined) return undefined;
  try {
    return hasProc ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() : ps('args', pid);
  } catch {
    return undefined;
  }
}

/**
 * Ends a process that is not a child of this one. It sends one signal, and SIGKILL after `graceMs`.
 * @throws {ServiceFault} when it does not end
 */
export async function endProcess(
  identity: string,
  { what, signal, graceMs }: { what: string; signal: NodeJS.Signals; graceMs: number },
): Promise<void> {
  for (const [each, withinMs] of [
    [signal, graceMs],
    ['SIGKILL', forceMs],
  ] as const) {
    const pid = pidOf(identity);
    if (pid === undefined) return;
    try {
      process.kill(pid, each);
    } catch (error) {
      if (pidOf(identity) === undefined) return;
      throw new ServiceFault('still-runs', `${what} runs as pid ${pid} and can't be ended. End it and start again.`, {
        cause: error,
      });
    }
    const deadline = performance.now() + withinMs;
    while (performance.now() < deadline) {
      if (pidOf(identity) === undefined) return;
      await delay(lookMs);
    }
  }
  throw new ServiceFault('still-runs', `${what} runs as pid ${pidOf(identity)} and does not end, not even by SIGKILL.`);
}

/** The start tells the boot as well, because the same numbers come again after another boot. */
function startInProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name is in parentheses, and may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, start] = [fields[0], fields[19]];
    if (state === 'Z' || state === 'X' || start === undefined) return undefined;
    return `${start}@${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
  } catch {
    return undefined;
  }
}

function startInPs(pid: number): string | undefined {
  try {
    return ps('stat', pid).startsWith('Z') ? undefined : ps('lstart', pid).replaceAll(/\s+/g, '-');
  } catch {
    return undefined;
  }
}

function ps(column: string, pid: number): string {
  return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

/**
 * The processes below a process, as the system knows them. Whoever they belong to may make more of them all the time, so no more than
 * some are looked at, and nothing is read that they have written.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** A server with as many connections as ours may have is far below. */
const mostProcesses = 4_096;

/** The pids below a process, the nearest first. Where the operating system does not tell, there are none. */
export function descendantsOf(pid: number): number[] {
  const found = [pid];
  for (let at = 0; at < found.length && found.length < mostProcesses; at += 1) {
    found.push(...childrenOf(found[at] as number));
  }
  return found.slice(1, mostProcesses);
}

/** The nearest process below one that runs a program of this name. */
export function descendantNamed(pid: number, name: string): number | undefined {
  return descendantsOf(pid).find((each) => readOfProcess(each, 'comm').trim() === name);
}

/** A file that the system has about a process. Empty when the process has ended, or belongs to somebody else. */
export function readOfProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function childrenOf(pid: number): number[] {
  const children = threadsOf(pid).flatMap((thread) => readOfProcess(pid, `task/${thread}/children`).split(' '));
  return children.map(Number).filter((child) => child > 0);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

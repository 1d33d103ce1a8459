/**
 * Finds and ends what runs for a server whose data are a stranger's. Nothing is believed that such a server may have written: its
 * processes are found by their user, or by the command that they were started with.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { endLeftoverOf } from './postgres-data.js';
import { endProcess, identityOf } from './process-identity.js';
import { serverEnvironment } from './server-environment.js';
import { ServiceFault } from './service-fault.js';
import type { SystemUser } from './unprivileged.js';

const run = promisify(execFile);
const hasProc = existsSync('/proc/self/stat');
const tries = 50;
const againMs = 20;
const graceMs = 20_000;
const listening = '0A';

/** The pids of the servers that run on a data folder, whatever started them. Without a /proc it finds none. */
export function serversOn(data: string): number[] {
  return pids().filter((pid) => {
    const [program = '', ...args] = read(`/proc/${pid}/cmdline`).split('\0');
    const at = args.indexOf('-D');
    return basename(program) === 'postgres' && at !== -1 && args[at + 1] === data;
  });
}

/** Ends the servers on a data folder: in order, and by force when that takes too long. */
export async function endServersOn(data: string): Promise<void> {
  if (!hasProc) return endLeftoverOf(data);
  for (const pid of serversOn(data)) {
    const identity = identityOf(pid);
    if (identity) await endProcess(identity, { what: 'a built server', signal: 'SIGINT', graceMs });
  }
}

/**
 * Ends every process of a user, also those that were left in the background. Only root may call it, for a user that has nothing else.
 * @throws {ServiceFault} when some do not end
 */
export async function endAllOf({ name, uid, gid }: SystemUser): Promise<void> {
  for (let left = tries; hasProc ? pidsOf(uid).length > 0 : left === tries; left -= 1) {
    if (left === 0) throw new ServiceFault('still-runs', `Processes of ${name} do not end, not even by SIGKILL.`);
    // The kernel sends it to all of them in one step, so that none escapes by making another.
    await run('/bin/sh', ['-c', 'kill -9 -1'], { uid, gid, cwd: '/', env: serverEnvironment }).catch(() => {});
    await delay(againMs);
  }
}

/** Whether it is this user who listens on a port of the loopback interface. Undefined where the system does not tell. */
export function listensOn(port: number, { uid }: SystemUser): boolean | undefined {
  if (!hasProc) return undefined;
  const at = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = read('/proc/net/tcp')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const owners = sockets.filter(([, local, , state]) => local === at && state === listening).map((fields) => fields[7]);
  return owners.length > 0 && owners.every((owner) => owner === String(uid));
}

function pidsOf(uid: number): number[] {
  return pids().filter((pid) => {
    const isOfUser = statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === uid;
    return isOfUser && identityOf(pid) !== undefined;
  });
}

function pids(): number[] {
  if (!hasProc) return [];
  return readdirSync('/proc').map(Number).filter(Number.isSafeInteger);
}

/** Empty when the process has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * Finds and ends what runs for a server whose data are a stranger's. Nothing is believed that such a server may have written, and of
 * the processes of a user that only it has, nothing is read that they can hold up or forge.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { endLeftoverOf } from './postgres-data.js';
import { endProcess, identityOf } from './process-identity.js';
import { readOfProcess } from './process-tree.js';
import { serverEnvironment } from './server-environment.js';
import { ServiceFault } from './service-fault.js';
import type { SystemUser } from './unprivileged.js';

const run = promisify(execFile);
const hasProc = existsSync('/proc/self/stat');
const tries = 50;
const againMs = 20;
const graceMs = 20_000;
const longestClearingMs = 60_000;
const listening = '0A';
/** 127.0.0.1, 0.0.0.0, and in version 6 any address and 127.0.0.1, as the kernel writes them on machines of this byte order. */
const loopback = ['0100007F', '00000000', '0'.repeat(32), '0000000000000000FFFF00000100007F'];
/** Segments and queues outlive the processes that have made them, and so do files where anybody may make some. */
const clearing = 'exec >/dev/null 2>&1; ipcrm --all; find /tmp /var/tmp /dev/shm -xdev -user "$1" -delete';

/**
 * The pids of the servers that run on a data folder, whatever started them. Their command names the folder, and it is the one that they work
 * in: anybody can give a process such a command. Without a /proc it finds none.
 */
export function serversOn(data: string): number[] {
  return pids().filter((pid) => {
    const [program = '', ...args] = readOfProcess(pid, 'cmdline').split('\0');
    const at = args.indexOf('-D');
    return basename(program) === 'postgres' && at !== -1 && args[at + 1] === data && worksIn(pid, data);
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
export async function endAllOf(user: SystemUser): Promise<void> {
  if (user.uid === 0 || user.uid === process.getuid?.()) throw new Error(`${user.name} has more than one server`);
  for (let left = tries; ; left -= 1) {
    // The kernel sends it to all of them in one step, so that none escapes by making another.
    await runAs(user, 'kill -9 -1').catch(() => {});
    if (!hasProc || pidsOf(user.uid).length === 0) return;
    if (left === 0) throw new ServiceFault('still-runs', `Processes of ${user.name} do not end, not even by SIGKILL.`);
    await delay(againMs);
  }
}

/** Removes what a user has left outside of its folder. It does so as that user, and so removes nothing of others. */
export async function clearAwayOf(user: SystemUser): Promise<void> {
  if (hasProc) await runAs(user, clearing).catch(() => {});
}

/** The users who listen on a port where 127.0.0.1 reaches them. Undefined where the system does not tell. */
export function listenersOn(port: number): number[] | undefined {
  if (!hasProc) return undefined;
  const number = port.toString(16).toUpperCase().padStart(4, '0');
  const sockets = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) =>
    (existsSync(table) ? readFileSync(table, 'utf8') : '').split('\n').map((line) => line.trim().split(/\s+/)),
  );
  return sockets
    .filter(([, local = '', , state]) => state === listening && loopback.some((at) => local === `${at}:${number}`))
    .map((fields) => Number(fields[7]));
}

function runAs({ uid, gid }: SystemUser, script: string): Promise<unknown> {
  return run('/bin/sh', ['-c', script, 'sh', String(uid)], {
    uid,
    gid,
    cwd: '/',
    env: serverEnvironment,
    timeout: longestClearingMs,
    killSignal: 'SIGKILL',
  });
}

/** A process may have a user as the real, the effective, the saved one, or that of its files: it can go back to each of them. */
function pidsOf(uid: number): number[] {
  return pids().filter((pid) => {
    const [, users = ''] = /^Uid:\s+(.*)$/m.exec(readOfProcess(pid, 'status')) ?? [];
    return users.split(/\s+/).includes(String(uid)) && identityOf(pid) !== undefined;
  });
}

function worksIn(pid: number, folder: string): boolean {
  try {
    const [at, wanted] = [statSync(`/proc/${pid}/cwd`), statSync(folder)];
    return at.dev === wanted.dev && at.ino === wanted.ino;
  } catch {
    return false;
  }
}

function pids(): number[] {
  if (!hasProc) return [];
  return readdirSync('/proc').map(Number).filter(Number.isSafeInteger);
}

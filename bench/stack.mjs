/** The stack of `npm start`, for measurements: without a demo, with its data on the disk. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../dist/libs/server-processes/src/index.js';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const apps = ['api', 'scheduler', 'replicator'];
const sampleMs = 250;
/** The first start may build an S3 server. */
const longestStartMs = 600_000;

/** A tool of PostgreSQL's own, where the tests have fetched them. */
export function postgresTool(name) {
  const path = join(root, '.strongroom', 'postgres-tools-18.6', 'embedded_postgres', 'pginstall', 'bin', name);
  if (!existsSync(path)) return undefined;
  // Its package does not say that it is a program.
  chmodSync(path, 0o755);
  return path;
}

/** Those that are not cleared. */
const workplaces = new Set();

/** A measurement that is stopped leaves no process and no folder behind. What fails meanwhile fails because of that. */
async function clearAll(signal) {
  for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, () => {});
  for (const place of workplaces) await place.clear();
  process.kill(process.pid, signal);
}

let isHeard = false;
function hearSignals() {
  if (isHeard) return;
  isHeard = true;
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, clearAll);
}

/** A folder that is removed in the end, and what has to be undone before that. */
export class Workplace {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-bench-'));
  undo = [];
  #cleared;

  constructor() {
    workplaces.add(this);
    hearSignals();
    // PostgreSQL runs as another user where root measures.
    chmodSync(this.folder, 0o711);
  }

  /** Once, however often it is called: a signal may come while the measurement clears by itself. */
  clear() {
    this.#cleared ??= this.#clear();
    return this.#cleared;
  }

  async #clear() {
    for (let each = this.undo.pop(); each; each = this.undo.pop()) await each().catch(() => {});
    rmSync(this.folder, { recursive: true, force: true });
    workplaces.delete(this);
  }

  /** @returns what `stack.json` tells, when every app serves */
  async startStack({ env = {}, args = [] } = {}) {
    const port = await freePort();
    const data = join(this.folder, 'stack');
    const launcher = [join(root, 'scripts', 'start.mjs'), '--no-demo', '--port', String(port), '--data', data, ...args];
    const stack = spawn(process.execPath, launcher, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = once(stack, 'exit');
    this.undo.push(async () => {
      stack.kill('SIGTERM');
      await ended;
    });
    for (let waited = 0; waited < longestStartMs; waited += sampleMs) {
      if (stack.exitCode !== null) throw new Error(`the stack ended with ${stack.exitCode}`);
      const file = join(data, 'stack.json');
      const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { pids: {} };
      if (apps.every((app) => known.pids[app])) return known;
      await delay(sampleMs);
    }
    throw new Error(`the stack did not start within ${longestStartMs / 60_000} minutes`);
  }
}

/** The most memory that a process has had so far. @param pid of a process, or this one */
export function peakMiB(pid = 'self') {
  const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(found?.[1] ?? 0) / 1_024);
}

/** The processes that a process has started and that are there. */
export function childrenOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  } catch {
    return [];
  }
}

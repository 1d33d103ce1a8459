/**
 * Runs Jest, and ends it when it would not end by itself. Jest has limits for tests and hooks alone: it waits for ever for a file that
 * computes without end, for the next file of a worker that was killed, and for what a file has left open in Jest's own process.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const lookMs = 1_000;

/**
 * Each process of Jest says in a file of the folder what it does, and how long that may take: `test/services/under-way.mjs`. A step is given up that
 * takes twice as long, and `graceMs` more. Jest is given up when no process has said anything for `graceMs`.
 * @param underWay an empty folder, which Jest's processes know
 * @param graceMs in milliseconds
 * @param descendantsOf gives the pids below a process
 * @param options those of `spawn`
 * @returns Jest's status, which is null when it was ended here, and then why
 */
export async function watchedJest(command, { underWay, graceMs, descendantsOf, ...options }) {
  const [program, ...args] = command;
  const jest = spawn(program, args, options);
  const exited = once(jest, 'exit');
  const watch = new Watch(underWay, graceMs);
  let unended;
  const looking = setInterval(() => {
    unended ??= watch.look();
    if (unended !== undefined) endAll([...descendantsOf(jest.pid), jest.pid]);
  }, lookMs);
  try {
    const [status] = await exited;
    return { status, unended };
  } finally {
    clearInterval(looking);
  }
}

class Watch {
  /** What each process has said last, and since when: by the name of its file. */
  seen = new Map();
  heardAt = undefined;

  constructor(folder, graceMs) {
    this.folder = folder;
    this.graceMs = graceMs;
  }

  /** @returns what does not end; undefined when all goes on. A machine that sleeps meanwhile counts as no time. */
  look() {
    this.hear();
    const underWay = this.stepsUnderWay();
    const late = underWay.find(({ withinMs, forMs, isThere }) => isThere && forMs > 2 * withinMs + this.graceMs);
    if (late) return `${late.what}, and has been for ${inWords(late.forMs)}`;
    // Before the first file there are servers to be started, which may have to be fetched.
    if (this.heardAt === undefined || performance.now() - this.heardAt < this.graceMs) return undefined;
    if (underWay.some(({ isThere }) => isThere)) return undefined;
    const killed = underWay.map(({ what }) => `${what}, and its process is gone`);
    if (killed.length > 0) return killed.join('; ');
    return `Jest did not end within ${inWords(this.graceMs)} after its last file`;
  }

  hear() {
    for (const name of readdirSync(this.folder)) {
      const text = readFileSync(join(this.folder, name), 'utf8');
      // It is empty in the moment in which it is written.
      if (text === '' || this.seen.get(name)?.text === text) continue;
      this.heardAt = performance.now();
      this.seen.set(name, { text, since: this.heardAt });
    }
  }

  stepsUnderWay() {
    const steps = [...this.seen].map(([name, { text, since }]) => ({
      ...JSON.parse(text),
      forMs: performance.now() - since,
      isThere: isAlive(Number.parseInt(name, 10)),
    }));
    return steps.filter(({ isOver }) => !isOver);
  }
}

function inWords(ms) {
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}

function endAll(pids) {
  for (const pid of pids.filter(isAlive)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // It has ended since.
      if (error.code !== 'ESRCH') throw error;
    }
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

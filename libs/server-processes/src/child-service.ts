/**
 * Runs a server as a child process, with its output in a file. It is asked to stop when its parent ends without having
 * stopped it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';

export interface Command {
  program: string;
  args: string[];
  /** The program's output is appended to it. */
  logFile: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** The operating system's user to run as. Only root may name another. */
  user?: { uid: number; gid: number } | undefined;
  /** The signal that asks it to stop. */
  stopSignal: NodeJS.Signals;
  /** Whether it gets a session of its own: a Ctrl-C then reaches only its parent, who stops everything in order. */
  ownSession?: boolean | undefined;
}

const living = new Map<ChildProcess, NodeJS.Signals>();
process.once('exit', () => {
  for (const [child, signal] of living) child.kill(signal);
});

export class ChildService {
  private constructor(
    private readonly child: ChildProcess,
    private readonly stopSignal: NodeJS.Signals,
    /** Settles when the process has ended, with how it ended. */
    readonly ended: Promise<string>,
  ) {}

  static start({ program, args, logFile, env, cwd, user, stopSignal, ownSession = false }: Command): ChildService {
    const log = openSync(logFile, 'a');
    try {
      const child = spawn(program, args, {
        stdio: ['ignore', log, log],
        detached: ownSession,
        ...(env && { env }),
        ...(cwd !== undefined && { cwd }),
        ...(user && { uid: user.uid, gid: user.gid }),
      });
      const ended = new Promise<string>((resolve) => {
        child.once('error', (error) => resolve(`could not be run: ${error.message}`));
        child.once('exit', (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`));
      });
      living.set(child, stopSignal);
      void ended.then(() => living.delete(child));
      return new ChildService(child, stopSignal, ended);
    } finally {
      closeSync(log);
    }
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get running(): boolean {
    return this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Asks it to stop. Each time that takes longer than `graceMs` it sends the next signal, and SIGKILL in the end. */
  async stop(graceMs: number, ...harder: NodeJS.Signals[]): Promise<void> {
    for (const signal of [this.stopSignal, ...harder]) if (await this.endsBy(signal, graceMs)) return;
    await this.kill();
  }

  async kill(): Promise<void> {
    if (!this.running) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  private async endsBy(signal: NodeJS.Signals, withinMs: number): Promise<boolean> {
    if (!this.running) return true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), withinMs);
    });
    const exited = once(this.child, 'exit').then(() => true);
    this.child.kill(signal);
    const ended = await Promise.race([exited, late]);
    clearTimeout(timer);
    return ended;
  }
}

const tailBytes = 16_384;

/** What a log holds from a place on. All of it when it was cut since. */
export async function logSince(logFile: string, from: number): Promise<string> {
  const file = await open(logFile, 'r').catch(() => undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const begin = size < from ? 0 : from;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - begin), 0, size - begin, begin);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The end of a log, for a message that says why something did not start. */
export async function lastLines(logFile: string, count = 15): Promise<string> {
  const file = await open(logFile, 'r').catch(() => undefined);
  if (!file) return '';
  const { size } = await file.stat();
  await file.close();
  const text = await logSince(logFile, Math.max(0, size - tailBytes));
  return text
    .trimEnd()
    .split('\n')
    .slice(-count)
    .map((line) => `  ${line}`)
    .join('\n');
}

/**
 * A server as a child process, with its output in a file. It can be started, watched, stopped and killed. When the process that
 * started it ends without having stopped it, it gets the signal to stop.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { stripVTControlCharacters } from 'node:util';

export interface Command {
  program: string;
  args: string[];
  /** The file that the output is appended to. */
  logFile: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** The user of the operating system to run as. Only root may name another one. */
  user?: { uid: number; gid: number } | undefined;
  /** The signal that asks the server to stop. */
  stopSignal: NodeJS.Signals;
  /** Gives it a session of its own, so that a Ctrl-C reaches only the starter, who then stops everything in order. */
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
    /** Settles when the process has ended, and tells how it ended. */
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

  /** Asks the server to stop. Each further signal is sent after another `graceMs`, and SIGKILL is the last. */
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

/** The text of a log from a place on, or all of it when the log has become shorter since. */
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

/** The last line of a text that says something, without the colours of a terminal. Empty when there is none. */
export function lastWords(text: string): string {
  const lines = stripVTControlCharacters(text).split(/[\r\n]+/);
  return lines.findLast((line) => line.trim() !== '')?.trim() ?? '';
}

/** The last lines of a log, for a message that says why something did not start. */
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

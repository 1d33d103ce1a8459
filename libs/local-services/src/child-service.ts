/** A server as a child process, with its output in a file: started, watched, asked to stop, or killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export interface Command {
  program: string;
  args: string[];
  /** Gets the program's output, appended. */
  logFile: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** The operating system's user to run as; only root may name another. */
  user?: { uid: number; gid: number } | undefined;
}

export class ChildService {
  private constructor(
    private readonly child: ChildProcess,
    /** Settles when the process has ended, with how. */
    readonly ended: Promise<string>,
  ) {}

  static start({ program, args, logFile, env, cwd, user }: Command): ChildService {
    const log = openSync(logFile, 'a');
    try {
      const child = spawn(program, args, {
        stdio: ['ignore', log, log],
        ...(env && { env }),
        ...(cwd !== undefined && { cwd }),
        ...(user && { uid: user.uid, gid: user.gid }),
      });
      const ended = new Promise<string>((resolve) => {
        child.once('error', (error) => resolve(error.message));
        child.once('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `ended with code ${code}`));
      });
      return new ChildService(child, ended);
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

  /** Asks with one signal, forces with SIGKILL when that takes longer than `graceMs`. */
  async end(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    if (!this.running) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    const force = setTimeout(() => this.child.kill('SIGKILL'), graceMs);
    await exited;
    clearTimeout(force);
  }
}

/** The end of a log, for a message that says why something did not start. */
export async function lastLines(logFile: string, count = 15): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

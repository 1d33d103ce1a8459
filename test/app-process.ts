/** One of the built apps as a process, which a test can stop, kill and freeze. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from '@jest/globals';
import { getMetrics } from '@strongroom/contracts';
import { serviceMemory } from '@strongroom/runtime';
import { z } from 'zod';
import { eventually } from './services/eventually.js';

/** An older version has no private port. */
const listening = z.object({ url: z.string(), privateUrl: z.string().optional() });

export type App = 'api' | 'scheduler' | 'replicator';

export class AppProcess {
  private constructor(
    readonly app: App,
    private readonly child: ChildProcess,
    /** The origin of its HTTP port. */
    readonly url: string,
    /** That of the port at which it serves its metrics. */
    readonly privateUrl: string,
  ) {}

  /** @param project whose built apps are meant; default: this one's */
  static async start(
    app: App,
    env: NodeJS.ProcessEnv,
    logFile: string,
    project = join(__dirname, '..'),
  ): Promise<AppProcess> {
    const main = join(project, 'dist', 'apps', app, 'src', 'main.js');
    const { NODE_COMPILE_CACHE } = process.env;
    const child = spawn(process.execPath, ['--enable-source-maps', main], {
      env: { ...env, ...serviceMemory(env.NODE_OPTIONS), NODE_COMPILE_CACHE },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const log = createWriteStream(logFile, { flags: 'a' });
    child.stderr.pipe(log, { end: false });
    const { url, privateUrl } = await new Promise<z.infer<typeof listening>>((resolve, reject) => {
      const lines = createInterface({ input: child.stdout });
      lines.on('line', (line) => {
        log.write(`${line}\n`);
        if (line.includes('"msg":"listening"')) resolve(listening.parse(JSON.parse(line)));
      });
      child.once('exit', (code, signal) =>
        reject(new Error(`${app} ended with ${code ?? signal} before it listened; see ${logFile}`)),
      );
      child.once('exit', () => log.end());
    });
    return new AppProcess(app, child, url, privateUrl ?? url);
  }

  /** All its metrics, as Prometheus reads them. */
  async metrics(): Promise<string> {
    return (await fetch(new URL(getMetrics.path, this.privateUrl))).text();
  }

  /** The value of a metric; undefined when the process does not export it. @param name with its labels, if it has any */
  async metric(name: string): Promise<number | undefined> {
    const line = (await this.metrics()).split('\n').find((each) => each.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  }

  /** Waits until a metric has a value. A process leaves out for a while what it takes long to measure. */
  async untilMetric(name: string, value: number): Promise<void> {
    await eventually(async () => expect([name, await this.metric(name)]).toEqual([name, value]), { withinMs: 30_000 });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Asks it to stop, and waits until it has. @returns its exit code; null when a signal has ended it */
  stop(): Promise<number | null> {
    return this.end('SIGTERM');
  }

  pause(): void {
    this.child.kill('SIGSTOP');
  }

  resume(): void {
    this.child.kill('SIGCONT');
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    if (signal === 'SIGKILL') this.child.kill('SIGCONT');
    await exited;
    return this.child.exitCode;
  }
}

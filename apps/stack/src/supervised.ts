/**
 * Something that is to run until it is told to stop: started again when it ends by itself, after a pause that grows while
 * it keeps ending, and is short again after a minute of life.
 */
import { setTimeout as delay } from 'node:timers/promises';

export interface Running {
  pid: number;
  /** Settles when it has ended, with how. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

export interface SupervisedOptions<T extends Running> {
  name: string;
  start(): Promise<T>;
  /** It runs, again. */
  onStarted(running: T): void;
  /** It ended by itself, or could not be started; another try follows. */
  onLost(how: string, pauseMs: number): void;
  firstPauseMs?: number;
  longestPauseMs?: number;
  steadyMs?: number;
}

export class Supervised<T extends Running> {
  private readonly stopping = new AbortController();
  private running: T | undefined;
  private readonly watching: Promise<void>;

  private constructor(
    private readonly options: SupervisedOptions<T>,
    first: T,
  ) {
    this.running = first;
    options.onStarted(first);
    this.watching = this.watch(first);
  }

  /** Returns when it runs for the first time. @throws when that fails: then nothing is watched */
  static async start<T extends Running>(options: SupervisedOptions<T>): Promise<Supervised<T>> {
    return new Supervised(options, await options.start());
  }

  get current(): T | undefined {
    return this.running;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running?.stop();
    await this.watching;
  }

  private async watch(first: T): Promise<void> {
    const { firstPauseMs = 1_000, longestPauseMs = 30_000, steadyMs = 60_000 } = this.options;
    const { signal } = this.stopping;
    let pauseMs = firstPauseMs;
    let current: T | undefined = first;
    while (!signal.aborted) {
      const since = performance.now();
      const how: string = current ? await current.ended : 'could not be started';
      this.running = undefined;
      if (signal.aborted) return;
      if (performance.now() - since > steadyMs) pauseMs = firstPauseMs;
      this.options.onLost(how, pauseMs);
      await delay(pauseMs, undefined, { signal }).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      if (signal.aborted) return;
      current = await this.again();
    }
  }

  private async again(): Promise<T | undefined> {
    try {
      const running = await this.options.start();
      if (this.stopping.signal.aborted) {
        await running.stop();
        return undefined;
      }
      this.running = running;
      this.options.onStarted(running);
      return running;
    } catch {
      return undefined;
    }
  }
}

/**
 * A process that runs until it is told to stop. When it ends by itself it is started again after a pause. The pause grows
 * while the process keeps ending, and is short again after the process has lived for a minute.
 */
import { setTimeout as delay } from 'node:timers/promises';

export interface Running {
  pid: number;
  /** Resolves to how it ended, when it has ended. */
  ended: Promise<string>;
  stop(): Promise<void>;
  /** Kills it. */
  kill(): Promise<void>;
}

export interface SupervisedOptions<T extends Running> {
  /** The signal cancels the start. */
  start(signal: AbortSignal): Promise<T>;
  /** It runs, for the first time or again. */
  onStarted(running: T): void;
  /** It ended by itself, or could not be started. Another try follows. */
  onLost(how: string, pauseMs: number): void;
  onStopped?(): void;
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

  /** Returns when it runs for the first time. @throws when it does not start: then nothing is supervised */
  static async start<T extends Running>(options: SupervisedOptions<T>, signal: AbortSignal): Promise<Supervised<T>> {
    return new Supervised(options, await options.start(signal));
  }

  /** The process that runs now; undefined between an end and the next start. */
  get current(): T | undefined {
    return this.running;
  }

  /** From now on, its end is expected and nothing starts it again. */
  expectEnd(): void {
    this.stopping.abort();
  }

  async stop(): Promise<void> {
    this.expectEnd();
    await this.running?.stop();
    await this.watching;
    this.options.onStopped?.();
  }

  /** Kills it, and waits for nothing. */
  kill(): void {
    this.expectEnd();
    void this.running?.kill();
  }

  private async watch(first: T): Promise<void> {
    const { firstPauseMs = 1_000, longestPauseMs = 30_000, steadyMs = 60_000 } = this.options;
    const { signal } = this.stopping;
    let pauseMs = firstPauseMs;
    for (let current: T | Error = first; ; current = await this.again()) {
      const since = performance.now();
      const how: string = current instanceof Error ? `could not be started: ${current.message}` : await current.ended;
      this.running = undefined;
      if (signal.aborted) return;
      if (performance.now() - since > steadyMs) pauseMs = firstPauseMs;
      this.options.onLost(how, pauseMs);
      await delay(pauseMs, undefined, { signal }).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      if (signal.aborted) return;
    }
  }

  private async again(): Promise<T | Error> {
    try {
      const running = await this.options.start(this.stopping.signal);
      this.running = running;
      if (this.stopping.signal.aborted) await running.stop();
      else this.options.onStarted(running);
      return running;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

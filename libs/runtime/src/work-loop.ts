/**
 * Runs a pass again and again: when woken, after an interval, at once when the pass asks for it. One pass at a time; a
 * pass that fails is run again after a growing pause that no wake cuts short, and is told of once, not each time.
 */
import type { Logger } from './log.js';

export interface WorkLoopOptions {
  /** What the loop does, for the log: `relay of strongroom.backups`. */
  name: string;
  /** The pause after a pass when nothing wakes the loop, in milliseconds. Spread by a fifth, so that processes don't march in step. */
  intervalMs: number;
  log: Logger;
  /** `'again'`: there is more to do, no pause. The signal is aborted when the loop is to stop. */
  pass: ((signal: AbortSignal) => Promise<void>) | ((signal: AbortSignal) => Promise<'again' | 'done'>);
  /** The first pause after a failed pass, doubled with each further one. Default 250 ms. */
  firstBackOffMs?: number;
  /** Default 10 s. */
  longestBackOffMs?: number;
  /** From 0 to 1. */
  random?: () => number;
}

export class WorkLoop {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private woken = false;
  private endPause: (() => void) | undefined;
  private failures = 0;
  private failingSince = 0;

  constructor(private readonly options: WorkLoopOptions) {}

  /** Whether the newest pass failed. */
  get failing(): boolean {
    return this.failures > 0;
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Asks for a pass now; if one is under way, for another after it. */
  wake(): void {
    this.woken = true;
    if (this.failures === 0) this.endPause?.();
  }

  /** Returns when the pass in hand has ended; no other begins. */
  async stop(): Promise<void> {
    this.stopping.abort(new Error(`${this.options.name} is stopping`));
    this.endPause?.();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      this.woken = false;
      const pauseMs = await this.once(signal);
      if (signal.aborted) return;
      if (this.failures > 0 || (!this.woken && pauseMs > 0)) await this.pause(pauseMs);
      else await new Promise(setImmediate);
    }
  }

  private async once(signal: AbortSignal): Promise<number> {
    const { name, intervalMs, log, pass, random = Math.random } = this.options;
    try {
      const outcome = await pass(signal);
      if (this.failures > 0) {
        const failedMs = Math.round(performance.now() - this.failingSince);
        log.info({ failures: this.failures, failedMs }, `${name} works again`);
        this.failures = 0;
      }
      return outcome === 'again' ? 0 : intervalMs * (0.9 + 0.2 * random());
    } catch (error) {
      if (signal.aborted) {
        log.debug({ err: error }, `${name} broke off to stop`);
        return 0;
      }
      const { firstBackOffMs = 250, longestBackOffMs = 10_000 } = this.options;
      const pauseMs = Math.min(firstBackOffMs * 2 ** Math.min(this.failures, 30), longestBackOffMs);
      this.failures += 1;
      if (this.failures === 1) {
        this.failingSince = performance.now();
        log.error(
          { err: error },
          `${name} failed; tried again in ${pauseMs} ms, then after up to ${longestBackOffMs} ms`,
        );
      } else log.debug({ err: error, failures: this.failures }, `${name} still fails`);
      return pauseMs * (0.75 + 0.25 * random());
    }
  }

  private async pause(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.endPause = resolve;
      timer = setTimeout(resolve, ms);
    });
    this.endPause = undefined;
    clearTimeout(timer);
  }
}

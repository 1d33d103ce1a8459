/**
 * Runs a pass again and again: after an interval, when it is woken, or at once when the pass asks for that. One pass runs at
 * a time. A pass that fails is run again after a growing pause, which no wake shortens, and is logged once and not each time.
 */
import { messageOf } from '@strongroom/contracts';
import type { Logger } from './log.js';

export interface WorkLoopOptions {
  /** What the loop does, for the log: `relay of strongroom.backups`. */
  name: string;
  /** The pause when nothing wakes the loop, in milliseconds. It varies by a fifth, so that processes do not run in step. */
  intervalMs: number;
  log: Logger;
  /**
   * Returns `'again'` when there is more to do, so that no pause follows, or how long the pause is to be. The signal is aborted when the loop is to stop. A pass
   * that may take long calls `moved` with each piece that is done, so that nobody takes it for one that hangs.
   */
  pass:
    | ((signal: AbortSignal, moved: () => void) => Promise<void>)
    | ((signal: AbortSignal, moved: () => void) => Promise<'again' | 'done' | { nextInMs: number }>);
  /** The first pause after a failed pass, which doubles with each further failure. Default: 250 ms. */
  firstBackOffMs?: number;
  /** The longest pause. Default: 10 s. */
  longestBackOffMs?: number;
  /** A number from 0 to 1. */
  random?: () => number;
}

/** A pass that does not move for longer hangs, as far as anybody can tell from outside. */
const longestStandMs = 60_000;

export class WorkLoop {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private woken = false;
  private endPause: (() => void) | undefined;
  private failures = 0;
  private failingSince = 0;
  private failure: unknown;
  /** When the pass in hand began, and when it moved last. */
  private passing: { since: number; movedAt: number } | undefined;
  /** Whether any pass has come to its end, or has moved. */
  private hasMoved = false;

  constructor(private readonly options: WorkLoopOptions) {}

  /** Whether the newest pass failed. */
  get failing(): boolean {
    return this.failures > 0;
  }

  /**
   * Tells whether the loop does what it is for.
   * @throws when it has not passed yet, when its newest pass failed, or when the pass in hand has not moved for a minute
   */
  probe(): Promise<void> {
    const { name } = this.options;
    const why =
      this.failures > 0
        ? `fails: ${messageOf(this.failure)}`
        : (this.whyStanding() ?? (!this.hasMoved && 'has not run yet'));
    return why ? Promise.reject(new Error(`${name} ${why}`)) : Promise.resolve();
  }

  private whyStanding(): string | undefined {
    const now = performance.now();
    const { since, movedAt } = this.passing ?? { since: now, movedAt: now };
    if (now - movedAt <= longestStandMs) return undefined;
    const seconds = (ms: number) => Math.round(ms / 1_000);
    const atOne = `has been at one pass for ${seconds(now - since)} s`;
    return movedAt === since ? atOne : `${atOne}, and has not moved for ${seconds(now - movedAt)} s`;
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Asks for a pass now, or for another one after the pass in hand. */
  wake(): void {
    this.woken = true;
    if (this.failures === 0) this.endPause?.();
  }

  /** Returns when the pass in hand has ended. No other begins. */
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
    const since = performance.now();
    const passing = { since, movedAt: since };
    this.passing = passing;
    const moved = () => {
      passing.movedAt = performance.now();
      this.hasMoved = true;
    };
    try {
      const outcome = await pass(signal, moved);
      this.hasMoved = true;
      if (this.failures > 0) {
        const failedMs = Math.round(performance.now() - this.failingSince);
        log.info({ failures: this.failures, failedMs }, `${name} works again`);
        this.failures = 0;
      }
      if (typeof outcome === 'object') return outcome.nextInMs;
      return outcome === 'again' ? 0 : intervalMs * (0.9 + 0.2 * random());
    } catch (error) {
      if (signal.aborted) {
        log.debug({ err: error }, `${name} broke off to stop`);
        return 0;
      }
      const { firstBackOffMs = 250, longestBackOffMs = 10_000 } = this.options;
      const pauseMs = Math.min(firstBackOffMs * 2 ** Math.min(this.failures, 30), longestBackOffMs);
      this.failures += 1;
      this.failure = error;
      if (this.failures === 1) {
        this.failingSince = performance.now();
        log.error(
          { err: error },
          `${name} failed; tried again in ${pauseMs} ms, then after up to ${longestBackOffMs} ms`,
        );
      } else log.debug({ err: error, failures: this.failures }, `${name} still fails`);
      return pauseMs * (0.75 + 0.25 * random());
    } finally {
      this.passing = undefined;
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

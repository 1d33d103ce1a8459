/** Slows the reading of a vault down to a rate. It never makes up for a time in which nothing was read. */
import { setTimeout as delay } from 'node:timers/promises';

/** Shorter pauses are put together, because a timer is no more exact. */
const leastPauseMs = 20;

export class ScrubPace {
  /** When what was read until now may have been read, in milliseconds of `performance.now()`. */
  private dueAt = 0;

  constructor(private readonly bytesPerSecond: number) {}

  /** So many bytes were read. @returns a promise to wait for before more is read; it fails with the signal's reason */
  readonly read = (bytes: number, signal: AbortSignal): Promise<void> | undefined => {
    const now = performance.now();
    this.dueAt = Math.max(this.dueAt, now) + (bytes / this.bytesPerSecond) * 1_000;
    const pauseMs = this.dueAt - now;
    if (pauseMs < leastPauseMs) return undefined;
    return delay(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  };
}

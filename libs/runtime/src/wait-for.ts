/** Waits for something that the process needs, and logs what it waits for and why that is not there yet. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from './log.js';

export interface WaitOptions {
  /** Ends the waiting when it is aborted. The last error is thrown then. */
  signal?: AbortSignal;
  /** Which errors are temporary. Any other is thrown at once. Default: all of them. */
  passes?: (error: unknown) => boolean;
  firstPauseMs?: number;
  longestPauseMs?: number;
}

const sayAgainMs = 30_000;

/** @param what completes `waiting for …` in the log, such as `the database` */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T>,
  log: Logger,
  { signal, passes = () => true, firstPauseMs = 100, longestPauseMs = 2_000 }: WaitOptions = {},
): Promise<T> {
  const begun = performance.now();
  let said: number | undefined;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      const found = await probe();
      if (said !== undefined) log.info({ waitedMs: Math.round(performance.now() - begun) }, `${what} is there`);
      return found;
    } catch (error) {
      if (!passes(error) || signal?.aborted) throw error;
      if (said === undefined || performance.now() - said >= sayAgainMs) {
        said = performance.now();
        log.warn({ err: error }, `waiting for ${what}`);
      }
      await delay(pauseMs, undefined, signal && { signal }).catch(() => {});
      if (signal?.aborted) throw error;
    }
  }
}

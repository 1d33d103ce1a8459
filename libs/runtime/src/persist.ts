/** Repeats an action whose outcome must not be lost, while what stops it is something that passes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from './log.js';

export interface Persistence {
  /** What is being done, for the log: `recording that backup 91ae… is complete`. */
  what: string;
  /** Whether an error passes by itself. Any other is thrown at once. */
  passes(error: unknown): boolean;
  /** Ends the repeating: the last error is thrown. */
  signal: AbortSignal;
  log: Logger;
}

const firstPauseMs = 200;
const longestPauseMs = 10_000;

export async function persist<T>(action: () => Promise<T>, { what, passes, signal, log }: Persistence): Promise<T> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return await action();
    } catch (error) {
      if (!passes(error) || signal.aborted) throw error;
      log.warn({ err: error }, `${what} failed for now; trying again in ${pauseMs} ms`);
      await delay(pauseMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) throw error;
    }
  }
}

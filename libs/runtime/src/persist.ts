/** Repeats an action whose outcome must not be lost, as long as its errors are temporary. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from './log.js';

export interface Persistence {
  /** What is done, for the log: `recording CompleteBackup for backup 91ae…`. */
  what: string;
  /** Whether an error is temporary. Any other is thrown at once. */
  passes(error: unknown): boolean;
  /** Ends the repetition when it is aborted. The last error is thrown then. */
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

/** Waits for work no longer than so long. The work goes on when the time is over. */
import { setTimeout as delay } from 'node:timers/promises';

/**
 * @param ms the longest wait, in milliseconds
 * @returns whether the work has ended in time. An error of the work is thrown when it comes in time.
 */
export async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const waiting = new AbortController();
  try {
    return await Promise.race([work.then(() => true), delay(ms, false, { signal: waiting.signal })]);
  } finally {
    waiting.abort();
  }
}

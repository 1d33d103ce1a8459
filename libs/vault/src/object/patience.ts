/** Makes a request again when what went wrong may pass: a few times, with growing pauses of random length. The signal ends it at once. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RefusalReader } from './store-refusal.js';

export interface Patience {
  /** How often a request is made before its fault counts. */
  attempts: number;
  /** The longest first pause. Each later one may be twice as long. */
  firstPauseMs: number;
  longestPauseMs: number;
  /** How long a connection may be silent. */
  silentMs: number;
  chance: () => number;
}

export const usualPatience: Patience = {
  attempts: 6,
  firstPauseMs: 200,
  longestPauseMs: 10_000,
  silentMs: 60_000,
  chance: Math.random,
};

/** How long somebody asks, until when, and how they read what the store refuses. */
export interface Asking {
  patience: Patience;
  signal: AbortSignal;
  refusalIn: RefusalReader;
}

/** @throws the signal's reason when it is aborted, and else what the last attempt threw */
export async function patiently<T>(asking: Asking, request: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    asking.signal.throwIfAborted();
    try {
      return await request();
    } catch (error) {
      await pauseAfter(error, attempt, asking);
    }
  }
}

/** Waits before the next attempt. @throws the error, when there is to be none, and the signal's reason */
export async function pauseAfter(
  error: unknown,
  attempt: number,
  { patience, signal, refusalIn }: Asking,
): Promise<void> {
  const { attempts, firstPauseMs, longestPauseMs, chance } = patience;
  signal.throwIfAborted();
  const { passes, waitMs = 0 } = refusalIn(error);
  if (attempt >= attempts || !passes) throw error;
  const most = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
  const asked = Math.min(longestPauseMs, waitMs);
  await delay(Math.max(asked, most * chance()), undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}

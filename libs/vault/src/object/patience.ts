/**
 * Makes a request again when what went wrong may pass: a few times, with growing pauses of random length. A store that is busy is asked for
 * less by everybody of the process. The signal ends it at once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { StorePace, Turn } from '../flow/store-pace.js';
import { isBusy, type RefusalReader } from './store-refusal.js';

export interface Patience {
  /** How often a request is made before its fault counts. */
  attempts: number;
  /** The longest first pause. Each later one may be twice as long. */
  firstPauseMs: number;
  longestPauseMs: number;
  /** For how long a store is left alone at the most, when it asks for that. */
  longestAskedMs: number;
  /** How long a connection may be silent. */
  silentMs: number;
  chance: () => number;
}

export const usualPatience: Patience = {
  attempts: 6,
  firstPauseMs: 200,
  longestPauseMs: 10_000,
  longestAskedMs: 60_000,
  silentMs: 60_000,
  chance: Math.random,
};

/** How long somebody asks, until when, and how they read what the store refuses. */
export interface Asking {
  patience: Patience;
  signal: AbortSignal;
  refusalIn: RefusalReader;
  /** That of all requests of the process to the store. */
  pace: StorePace;
}

/** @throws the signal's reason when it is aborted, and else what the last attempt threw */
export async function patiently<T>(asking: Asking, request: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const turn = await asking.pace.turn(asking.signal);
    try {
      const answer = await request();
      turn.end();
      return answer;
    } catch (error) {
      endWith(error, turn, attempt, asking);
      await pauseAfter(error, attempt, asking);
    }
  }
}

/** Waits before the next attempt. @throws the error, when there is to be none, and the signal's reason */
export async function pauseAfter(error: unknown, attempt: number, asking: Asking): Promise<void> {
  const { patience, signal, refusalIn } = asking;
  signal.throwIfAborted();
  if (attempt >= patience.attempts || !refusalIn(error).passes) throw error;
  await delay(pauseMs(error, attempt, asking), undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}

function endWith(error: unknown, turn: Turn, attempt: number, asking: Asking): void {
  if (!asking.signal.aborted && isBusy(asking.refusalIn(error))) turn.endBusy(pauseMs(error, attempt, asking));
  else turn.end();
}

/** What the store asks for comes before the part that chance decides: those who wait for one store must not come back together. */
function pauseMs(error: unknown, attempt: number, { patience, refusalIn }: Asking): number {
  const { firstPauseMs, longestPauseMs, longestAskedMs, chance } = patience;
  const { waitMs = 0 } = refusalIn(error);
  const most = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
  return Math.min(longestAskedMs, waitMs) + most * chance();
}

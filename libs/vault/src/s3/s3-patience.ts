/** Makes a request again when what went wrong may pass: a few times, with growing pauses of random length. The signal ends it at once. */
import { setTimeout as delay } from 'node:timers/promises';
import { refusalIn } from './s3-answer.js';

export interface S3Patience {
  /** How often a request is made before its fault counts. */
  attempts: number;
  /** The longest first pause. Each later one may be twice as long. */
  firstPauseMs: number;
  longestPauseMs: number;
  /** How long a connection may be silent. */
  silentMs: number;
  chance: () => number;
}

export const usualPatience: S3Patience = {
  attempts: 6,
  firstPauseMs: 200,
  longestPauseMs: 10_000,
  silentMs: 60_000,
  chance: Math.random,
};

/** @throws the signal's reason when it is aborted, and else what the last attempt threw */
export async function patiently<T>(patience: S3Patience, signal: AbortSignal, request: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await request();
    } catch (error) {
      signal.throwIfAborted();
      if (attempt >= patience.attempts || !refusalIn(error).passes) throw error;
      await pause(patience, attempt, { error, signal });
    }
  }
}

/** Waits before the next attempt. @throws the signal's reason */
export async function pause(
  { firstPauseMs, longestPauseMs, chance }: S3Patience,
  attempt: number,
  { error, signal }: { error: unknown; signal: AbortSignal },
): Promise<void> {
  const most = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
  const asked = Math.min(longestPauseMs, refusalIn(error).waitMs ?? 0);
  await delay(Math.max(asked, most * chance()), undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}

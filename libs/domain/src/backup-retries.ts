/**
 * When a backup that failed in a way that passes is tried again: with pauses that grow, until a window of time is used up. The
 * pauses and the attempts count, beginning with the first failure. The time in which no runner was there does not count, and
 * neither does a clock that was put forward or back between two attempts.
 */
import type { EventData } from '@strongroom/contracts';

/** When the next attempt follows, and until when further ones do. */
export type NextTry = Pick<EventData<'BackupAttemptFailed'>, 'retryAt' | 'retryUntil'>;

/** What the failed attempts of a backup left. */
export interface BackupRetries {
  /** How many attempts have failed. */
  times: number;
  /** When the first of them failed. */
  since: string;
  last: Pick<EventData<'BackupAttemptFailed'>, 'attempt' | 'code' | 'reason'> & NextTry & { at: string };
}

const firstPauseMs = 5_000;
const longestPauseMs = 600_000;

/** @param leftMs what is left of the window. @returns undefined when nothing is left: the backup has failed for good */
export function nextTry(retries: BackupRetries | undefined, now: Date, leftMs: number): NextTry | undefined {
  if (leftMs <= 0) return undefined;
  const pauseMs = Math.min(firstPauseMs * 2 ** Math.min(retries?.times ?? 0, 20), longestPauseMs, leftMs);
  const inMs = (ms: number) => new Date(now.getTime() + ms).toISOString();
  return { retryAt: inMs(pauseMs), retryUntil: inMs(leftMs) };
}

/**
 * What is left of the window when an attempt has failed, in milliseconds.
 * @param retries what the attempts before it left, if there are any
 * @param attemptMs how long the attempt took
 */
export function leftOfWindow(retries: BackupRetries | undefined, attemptMs: number, windowMs: number): number {
  if (!retries) return windowMs;
  const { retryAt, retryUntil } = retries.last;
  return Date.parse(retryUntil) - Date.parse(retryAt) - Math.max(0, attemptMs);
}

/** What is said of a backup that waits for its next attempt, after its name. */
export function triedAgain({ last: { attempt, code, reason, retryAt, retryUntil } }: BackupRetries): string {
  return `is tried again at ${toSecond(retryAt)}, and until ${toSecond(retryUntil)}, because attempt ${attempt} failed with ${code}: ${asSentence(reason)}`;
}

/** The reason of a backup that was tried again and again in vain. */
export function triedInVain(retries: BackupRetries | undefined, reason: string, now: Date): string {
  if (!retries) return reason;
  const from = toSecond(retries.since);
  return `The backup was tried ${retries.times + 1} times, and failed each time from ${from} to ${toSecond(now.toISOString())}. The last attempt failed because: ${reason}`;
}

function toSecond(at: string): string {
  return `${at.slice(0, 19)}Z`;
}

function asSentence(reason: string): string {
  return /[.!?]$/.test(reason) ? reason : `${reason}.`;
}

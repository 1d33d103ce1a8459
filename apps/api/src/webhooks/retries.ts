/**
 * What follows from an attempt at a delivery. An endpoint that is away is waited for, and the events behind wait with it. An event that is
 * refused again and again is passed over. A webhook where nothing is taken for days is disabled, and keeps its place.
 */
import type { SendOutcome } from './sender.js';

export interface RetryTimings {
  /** The pause after the first failure. Each further one is four times as long. */
  firstMs: number;
  longestMs: number;
  /** So often an event is refused before it is passed over. */
  mostRefusals: number;
  /** For so long nothing may be taken before the webhook is disabled. */
  disabledAfterMs: number;
}

export const usualRetries: RetryTimings = {
  firstMs: 5_000,
  longestMs: 3_600_000,
  mostRefusals: 6,
  disabledAfterMs: 72 * 3_600_000,
};

export type Next =
  | { is: 'delivered' }
  | { is: 'again'; inMs: number }
  | { is: 'passed-over' }
  | { is: 'disabled'; code: 'gone' | 'failing'; reason: string };

/**
 * @param failures how often this event has failed, with this time
 * @param failingMs for how long nothing has been taken
 * @param random a number from 0 to 1
 */
export function nextOf(
  outcome: SendOutcome,
  { failures, failingMs, random }: { failures: number; failingMs: number; random: number },
  { firstMs, longestMs, mostRefusals, disabledAfterMs }: RetryTimings,
): Next {
  if (outcome.means === 'taken') return { is: 'delivered' };
  if (outcome.means === 'gone') {
    return { is: 'disabled', code: 'gone', reason: 'The URL was answered with 410: it is gone for good.' };
  }
  if (failingMs >= disabledAfterMs) {
    return { is: 'disabled', code: 'failing', reason: outcome.fault?.message ?? 'Nothing was taken.' };
  }
  if (outcome.means === 'refused' && failures >= mostRefusals) return { is: 'passed-over' };
  const pauseMs = Math.min(firstMs * 4 ** Math.min(failures - 1, 20), longestMs) * (0.8 + 0.4 * random);
  return { is: 'again', inMs: Math.round(Math.max(pauseMs, Math.min(outcome.retryAfterMs ?? 0, longestMs))) };
}

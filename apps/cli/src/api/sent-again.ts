/** A change that is sent again when the service does not answer. Its idempotency key has it made once, however often it is sent. */
import { setTimeout as delay } from 'node:timers/promises';
import { ApiFault } from '@strongroom/client';
import { messageOf, whyNotFetched } from '@strongroom/contracts';
import { note } from '../output.js';

/** The pauses before it is sent again, in milliseconds. */
const pausesMs = [500, 1_000, 2_000, 4_000, 8_000];
/** A service that wants to be asked later than this, in seconds, is not waited for. */
const longestWaitSeconds = 60;

/** @throws what the last try has thrown */
export async function sentAgain<Result>(send: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (const pauseMs of pausesMs) {
    try {
      return await send();
    } catch (error) {
      const wait = waitMs(error, pauseMs);
      if (signal.aborted || wait === undefined) throw error;
      note(`It is tried again in ${Math.ceil(wait / 1_000)} s: ${whyNotFetched(error)}`);
      await delay(wait, undefined, { signal });
    }
  }
  return send();
}

/** Undefined when another try does not help. */
function waitMs(error: unknown, pauseMs: number): number | undefined {
  if (!(error instanceof ApiFault)) return whyNotFetched(error) === messageOf(error) ? undefined : pauseMs;
  if (!error.retryable) return undefined;
  const { retryAfterSeconds = 0 } = error;
  return retryAfterSeconds > longestWaitSeconds ? undefined : Math.max(pauseMs, retryAfterSeconds * 1_000);
}

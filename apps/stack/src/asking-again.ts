/**
 * A `fetch` for the stack's own API, which is still starting, or has just lost its database. It asks again until there is an
 * answer that says something. Each request that changes something has a key, so that asking again makes nothing twice.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '@strongroom/contracts';

export interface AskingAgain {
  /** Ends the asking. */
  signal: AbortSignal;
  /** Called with why there is no answer yet. */
  onWait: (why: string) => void;
  /** How long to go on without an answer. Default: ten minutes. */
  longestMs?: number;
}

const pauseMs = 500;
/** The service cannot answer now; it asks the caller to come again. */
const comeAgain = [502, 503, 504];

/** @throws what `fetch` throws, or gives the last answer, when there was none to go on with for so long */
export function askingAgain({ signal, onWait, longestMs = 600_000 }: AskingAgain): typeof fetch {
  return async (input, init = {}) => {
    const headers = new Headers(init.headers);
    const changes = init.method !== undefined && !['GET', 'HEAD'].includes(init.method);
    if (changes && !headers.has('idempotency-key')) headers.set('idempotency-key', randomUUID());
    const begun = performance.now();
    for (;;) {
      const isOver = () => signal.aborted || performance.now() - begun > longestMs;
      try {
        const response = await fetch(input, { ...init, headers, signal });
        if (!comeAgain.includes(response.status) || isOver()) return response;
        await response.body?.cancel();
        onWait(`the API answers ${response.status}`);
      } catch (error) {
        if (isOver()) throw error;
        onWait(`the API does not answer: ${messageOf(error)}`);
      }
      await delay(pauseMs, undefined, { signal }).catch(() => {});
    }
  };
}

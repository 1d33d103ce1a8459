/** A live stream of the service that outlasts its connections: each one goes on after what was seen last. */
import type { Operation } from '@strongroom/contracts';
import type { z } from 'zod';
import { type Answer, parseAnswer, read } from './answer.js';
import { ApiFault } from './api-fault.js';
import type { RequestParts } from './call.js';
import type { OperationCaller } from './operation-caller.js';
import { messagesIn } from './server-sent-events.js';

export interface FollowOptions {
  /** The id of the last item that was seen; `0`: from the first one on. Default: from now on. */
  after?: string | undefined;
  /**
   * Called when the service does not have the last item that was seen, because its ledger was put back to an earlier time.
   * After that everything comes, from the first item on, and some of it for the second time.
   */
  onReset?: (() => void) | undefined;
  /** Ends the stream. */
  signal?: AbortSignal | undefined;
}

export interface StreamAsked extends FollowOptions {
  /** What else the operation is asked by. */
  query?: RequestParts['query'];
}

/** The pause before the next connection, until the service has said its own. */
const usualPauseMs = 2_000;

/**
 * Each item as it happens, in order and, unless the service has lost some, once, until the signal is aborted.
 * @param operation lists the same items, and streams them
 * @throws {ApiFault} when the service refuses the stream; a retryable one only when no stream had begun
 * @throws what `fetch` throws when the service cannot be reached; only when no stream had begun
 */
export async function* followStream<Item extends z.ZodType>(
  caller: OperationCaller,
  operation: Operation,
  item: Item,
  { after, onReset, signal, query }: StreamAsked,
): AsyncGenerator<z.output<Item>, void, undefined> {
  const title = `${operation.method} ${operation.path}, as a stream,`;
  let seen = after;
  let pauseMs = usualPauseMs;
  let hasBegun = false;
  while (!signal?.aborted) {
    let askAgainMs: number | undefined;
    try {
      const response = await connect(caller, { operation, title, seen, signal, query });
      for await (const message of messagesIn(response.body ?? [])) {
        hasBegun = true;
        seen = message.id ?? seen;
        pauseMs = message.retryMs ?? pauseMs;
        if (message.event === 'reset') onReset?.();
        else if (message.data !== '') yield itemIn(item, message.data, { title, response });
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!hasBegun || (error instanceof ApiFault && !error.retryable)) throw error;
      if (error instanceof ApiFault && error.retryAfterSeconds !== undefined) {
        askAgainMs = error.retryAfterSeconds * 1_000;
      }
    }
    await pause(askAgainMs ?? pauseMs, signal);
  }
}

async function connect(
  caller: OperationCaller,
  asked: { operation: Operation; title: string; seen: string | undefined } & Pick<StreamAsked, 'signal' | 'query'>,
): Promise<Response> {
  const { operation, title, seen, signal, query } = asked;
  const response = await caller.open(operation, {
    headers: { accept: 'text/event-stream', ...(seen !== undefined && { 'last-event-id': seen }) },
    signal,
    query,
  });
  if (response.status !== operation.status) throw ApiFault.of(title, await read(response));
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  if (!isStream) throw ApiFault.foreign(title, await read(response));
  return response;
}

function itemIn<Item extends z.ZodType>(
  item: Item,
  text: string,
  { title, response }: { title: string; response: Pick<Answer, 'status' | 'headers'> },
): z.output<Item> {
  try {
    return parseAnswer(item, JSON.parse(text)) as z.output<Item>;
  } catch (error) {
    const { status, headers } = response;
    throw ApiFault.foreign(title, { status, headers, body: text }, error);
  }
}

/** Ends early when the signal is aborted. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (signal?.aborted) end();
    signal?.addEventListener('abort', end);
  });
}

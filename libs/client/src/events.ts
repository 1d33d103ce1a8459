/** The calls on the account's events: a list, and a live stream that outlasts its connections. */
import { type EventResource, eventResource, getEvents } from '@strongroom/contracts';
import { type Answer, parseAnswer, read } from './answer.js';
import { ApiFault } from './api-fault.js';
import type { CallOptions, QueryOf } from './call.js';
import type { OperationCaller } from './operation-caller.js';
import { messagesIn } from './server-sent-events.js';

export interface FollowOptions {
  /** The id of the last event that was seen; `0`: from the first event on. Default: from now on. */
  after?: string | undefined;
  /**
   * Called when the service does not have the last event that was seen, because its ledger was put back to an earlier time.
   * After that all events come, from the first on, and some of them for the second time.
   */
  onReset?: (() => void) | undefined;
  /** Ends the stream. */
  signal?: AbortSignal | undefined;
}

/** The pause before the next connection, until the service has said its own. */
const usualPauseMs = 2_000;
const stream = `${getEvents.method} ${getEvents.path}, as a stream,`;

export class EventCalls {
  constructor(private readonly caller: OperationCaller) {}

  /** All of them, the oldest first, read page by page. @throws {ApiFault} */
  async *list(query: QueryOf<typeof getEvents> = {}, options: CallOptions = {}): AsyncGenerator<EventResource> {
    for await (const page of this.caller.pages(getEvents, { ...options, query })) yield* page.events;
  }

  /**
   * Each event as it happens, in order and, unless the service has lost events, once, until the signal is aborted. When a connection ends, the next one goes on
   * after the last event that was seen. A newer service may tell events of types that are not known here; they are passed on.
   * @throws {ApiFault} when the service refuses the stream; a retryable one only when no stream had begun
   * @throws what `fetch` throws when the service cannot be reached; only when no stream had begun
   */
  async *follow({ after, onReset, signal }: FollowOptions = {}): AsyncGenerator<EventResource, void, undefined> {
    let seen = after;
    let pauseMs = usualPauseMs;
    let hasBegun = false;
    while (!signal?.aborted) {
      let askAgainMs: number | undefined;
      try {
        const response = await this.connect(seen, signal);
        for await (const message of messagesIn(response.body ?? [])) {
          hasBegun = true;
          seen = message.id ?? seen;
          pauseMs = message.retryMs ?? pauseMs;
          if (message.event === 'reset') onReset?.();
          else if (message.data !== '') yield eventIn(message.data, response);
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

  private async connect(seen: string | undefined, signal: AbortSignal | undefined): Promise<Response> {
    const response = await this.caller.open(getEvents, {
      headers: { accept: 'text/event-stream', ...(seen !== undefined && { 'last-event-id': seen }) },
      signal,
    });
    if (response.status !== getEvents.status) throw ApiFault.of(stream, await read(response));
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
    if (!isStream) throw ApiFault.foreign(stream, await read(response));
    return response;
  }
}

function eventIn(text: string, { status, headers }: Pick<Answer, 'status' | 'headers'>): EventResource {
  try {
    return parseAnswer(eventResource, JSON.parse(text)) as EventResource;
  } catch (error) {
    throw ApiFault.foreign(stream, { status, headers, body: text }, error);
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

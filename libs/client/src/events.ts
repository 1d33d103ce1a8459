/** The calls on the account's events: a list, and a live stream that outlasts its connections. */
import { type EventResource, eventResource, getEvents } from '@strongroom/contracts';
import type { CallOptions, QueryOf } from './call.js';
import { type FollowOptions, followStream } from './live-stream.js';
import type { OperationCaller } from './operation-caller.js';

/** The place before the first event, in the words of the stream. */
const fromTheStart = '0';

export class EventCalls {
  constructor(private readonly caller: OperationCaller) {}

  /** All of them, the oldest first, read page by page. @throws {ApiFault} */
  async *list(query: QueryOf<typeof getEvents> = {}, options: CallOptions = {}): AsyncGenerator<EventResource> {
    for await (const page of this.caller.pages(getEvents, { ...options, query })) yield* page.events;
  }

  /**
   * Each event as it happens, as `followStream` tells. A newer service may tell events of types that are not known here; they are passed
   * on. `since` is an instant of RFC 3339: without `after`, the first events are those of at most a minute before it. A service that is too
   * old to know it tells all events, from the first one on.
   */
  follow({
    since,
    ...options
  }: FollowOptions & { since?: string | undefined } = {}): AsyncGenerator<EventResource, void, undefined> {
    const begins = since === undefined ? {} : { after: options.after ?? fromTheStart, query: { since } };
    return followStream(this.caller, getEvents, eventResource, { ...options, ...begins });
  }
}

/** The calls on the account's events: a list, and a live stream that outlasts its connections. */
import { type EventResource, eventResource, getEvents } from '@strongroom/contracts';
import type { CallOptions, QueryOf } from './call.js';
import { type FollowOptions, followStream } from './live-stream.js';
import type { OperationCaller } from './operation-caller.js';

export class EventCalls {
  constructor(private readonly caller: OperationCaller) {}

  /** All of them, the oldest first, read page by page. @throws {ApiFault} */
  async *list(query: QueryOf<typeof getEvents> = {}, options: CallOptions = {}): AsyncGenerator<EventResource> {
    for await (const page of this.caller.pages(getEvents, { ...options, query })) yield* page.events;
  }

  /**
   * Each event as it happens, as `followStream` tells. A newer service may tell events of types that are not known here; they are passed
   * on.
   */
  follow(options: FollowOptions = {}): AsyncGenerator<EventResource, void, undefined> {
    return followStream(this.caller, getEvents, eventResource, options);
  }
}

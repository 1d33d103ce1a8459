/**
 * The handlers of an app by type of event. They run one after another, in the order in which they were registered. A handler that is
 * registered for events together gets those of its type that come at once, before the handlers of single events. One that is registered
 * for all types gets all of them in one call.
 */
import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import type { MessageHandler } from '@nestjs/microservices';
import { type Aggregate, aggregateOfEvent, aggregates, eventTypes, type RecordedEvent } from '@strongroom/contracts';
import { inSpan, runInContext } from '@strongroom/runtime';
import { isObservable, lastValueFrom, type Observable, throwError } from 'rxjs';
import type { FeedContext } from './feed-context.js';

const ofTogether = ' together';

/** Stands for every type of event, in the pattern of a handler of events together. */
export const anyType = '*';

/** The pattern of a handler of events together: its payload is an array of events of the type. */
export function together(type: string): string {
  return `${type}${ofTogether}`;
}

export class Handlers {
  private readonly byType = new Map<string, MessageHandler[]>();
  private readonly ofMany = new Map<string, MessageHandler[]>();

  /** @param pattern a type of event, or what `together` makes of it */
  add(pattern: string, handler: MessageHandler): void {
    const isOfMany = pattern.endsWith(ofTogether);
    const type = isOfMany ? pattern.slice(0, -ofTogether.length) : pattern;
    const byType = isOfMany ? this.ofMany : this.byType;
    byType.set(type, [...(byType.get(type) ?? []), handler]);
  }

  get types(): ReadonlySet<string> {
    const ofMany = this.ofMany.has(anyType) ? eventTypes : this.ofMany.keys();
    return new Set([...this.byType.keys(), ...ofMany]);
  }

  get any(): boolean {
    return this.types.size > 0;
  }

  /** The kinds of aggregates that have an event with a handler. Those of the others are not read: nothing is done with them. */
  get aggregates(): readonly Aggregate[] {
    const { types } = this;
    return aggregates.filter((kind) => eventTypes.some((type) => aggregateOfEvent[type] === kind && types.has(type)));
  }

  /** Runs the handlers of events together. */
  async handleTogether(events: readonly RecordedEvent[], context: FeedContext): Promise<void> {
    if (events.length === 0) return;
    for (const type of [anyType, ...new Set(events.map((event) => event.type))]) {
      const ofType = type === anyType ? events : events.filter((event) => event.type === type);
      const handlers = this.ofMany.get(type) ?? [];
      if (handlers.length === 0) continue;
      const attributes = { 'strongroom.events': ofType.length };
      const places = ofType.map((event) => event.context.traceparent);
      await inSpan(places, { name: 'handle events', kind: 'consumer', attributes }, async () => {
        for (const handler of handlers) await ended(await handler(ofType, context));
      });
    }
  }

  /** Runs the handlers of one event. It does nothing for an event of a type that has none. */
  async handle(event: RecordedEvent, context: FeedContext): Promise<void> {
    const handlers = this.byType.get(event.type) ?? [];
    if (handlers.length === 0) return;
    const { requestId, correlationId, traceparent } = event.context;
    const span = { name: `handle ${event.type}`, kind: 'consumer' } as const;
    await runInContext({ requestId, correlationId, eventId: event.id }, () =>
      inSpan([traceparent], span, async () => {
        for (const handler of handlers) await ended(await handler(event, context));
      }),
    );
  }
}

/** A handler of Nest that fails does not throw: it returns an Observable that does. */
async function ended(outcome: unknown): Promise<void> {
  if (isObservable(outcome)) await lastValueFrom(outcome, { defaultValue: undefined });
}

/** Passes errors on as they are. Nest's own filter would hide the database's code, which tells an outage. */
@Catch()
export class ErrorsAsTheyAre implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** The handlers of an app by type of event. They run one after another, in the order in which they were registered. */
import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import type { MessageHandler } from '@nestjs/microservices';
import type { RecordedEvent } from '@strongroom/contracts';
import { runInContext } from '@strongroom/runtime';
import { isObservable, lastValueFrom, type Observable, throwError } from 'rxjs';
import type { FeedContext } from './feed-context.js';

export class Handlers {
  private readonly byType = new Map<string, MessageHandler[]>();

  add(type: string, handler: MessageHandler): void {
    const handlers = this.byType.get(type);
    if (handlers) handlers.push(handler);
    else this.byType.set(type, [handler]);
  }

  get types(): ReadonlySet<string> {
    return new Set(this.byType.keys());
  }

  get any(): boolean {
    return this.byType.size > 0;
  }

  /** Does nothing for an event of a type that has no handler. */
  async handle(event: RecordedEvent, context: FeedContext): Promise<void> {
    const { requestId, correlationId } = event.context;
    await runInContext({ requestId, correlationId, eventId: event.id }, async () => {
      for (const handler of this.byType.get(event.type) ?? []) {
        // A handler of Nest that fails does not throw: it returns an Observable that does.
        const outcome: unknown = await handler(event, context);
        if (isObservable(outcome)) await lastValueFrom(outcome, { defaultValue: undefined });
      }
    });
  }
}

/** Passes errors on as they are. Nest's own filter would hide the database's code, which tells an outage. */
@Catch()
export class ErrorsAsTheyAre implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** What both feeds share as a Nest transport: the app's handlers, and the end. */
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { Handlers } from './handlers.js';

export abstract class FeedServer extends Server implements CustomTransportStrategy {
  /** Errors of handlers come back to the feed, which judges them. */
  override readonly propagatesEventHandlerErrors = true;
  protected readonly handlers = new Handlers();

  /** In place of Nest's chain, which runs the handlers of one event at the same time. */
  override addHandler(pattern: unknown, handler: MessageHandler): void {
    if (typeof pattern !== 'string') throw new TypeError('a handler of the feed is registered for an event type');
    this.handlers.add(pattern, handler);
  }

  /** Throws when events do not come in; for readiness. */
  abstract probe(): Promise<void>;

  override on(): never {
    throw new TypeError('the feed has no events of its own to listen to');
  }

  override unwrap(): never {
    throw new TypeError('the feed has no client to hand out');
  }
}

/** What both feeds share as transports of Nest: the app's handlers, and how the feed ends. */
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { Handlers } from './handlers.js';

export abstract class FeedServer extends Server implements CustomTransportStrategy {
  /** Makes Nest pass the errors of handlers to the feed, which judges them. */
  override readonly propagatesEventHandlerErrors = true;
  protected readonly handlers = new Handlers();

  /** Replaces Nest's own way, which runs the handlers of one event at the same time. */
  override addHandler(pattern: unknown, handler: MessageHandler): void {
    if (typeof pattern !== 'string') throw new TypeError('a handler of the feed is registered for an event type');
    this.handlers.add(pattern, handler);
  }

  /** Checks for readiness that events come in. @throws when they do not */
  abstract probe(): Promise<void>;

  override on(): never {
    throw new TypeError('the feed has no events of its own to listen to');
  }

  override unwrap(): never {
    throw new TypeError('the feed has no client to hand out');
  }
}

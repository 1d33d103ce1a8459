/** Events to handlers: over Kafka, or from the ledger itself. */
export { type ConnectOptions, connectFeed } from './connect-feed.js';
export { FeedContext } from './feed-context.js';

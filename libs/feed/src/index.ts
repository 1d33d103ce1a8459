/** Brings events to handlers: over Kafka, or from the ledger itself. */
export { type ConnectOptions, connectFeed, groupOf } from './connect-feed.js';
export { FeedContext } from './feed-context.js';
export { anyType, together } from './handlers.js';
export { jobNews } from './job-news.js';
export { type InspectedCluster, inspectCluster } from './kafka/inspect-cluster.js';
export { kafkaClient } from './kafka/kafka-client.js';
export { type KeptLetter, KeptLetters } from './kept-letters.js';
export { LedgerIdentity } from './ledger-identity.js';
export { unhandledEvents } from './unhandled-events.js';

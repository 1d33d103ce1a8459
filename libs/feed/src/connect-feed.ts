/** Connects an app to its feed. This is the only way to do it, so that no part of the feed is left out. */
import type { INestApplication } from '@nestjs/common';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { Ledger } from '@strongroom/ledger';
import type { RuntimeParts } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { EmbeddedFeed } from './embedded/embedded-feed.js';
import type { FeedServer } from './feed-server.js';
import { ErrorsAsTheyAre } from './handlers.js';
import { Cluster } from './kafka/cluster.js';
import { kafkaClient } from './kafka/kafka-client.js';
import { KafkaFeed } from './kafka/kafka-feed.js';
import { KafkaRelay } from './kafka/kafka-relay.js';
import { LedgerIdentity } from './ledger-identity.js';

export interface ConnectOptions {
  /** Whether the app is unready while no events come in. It is false for an app that can answer without them. */
  readinessNeedsFeed: boolean;
  /** After this time, in milliseconds, the second look handles an event that the feed has not. Default: five minutes. */
  feedTakesMs?: number;
  /** After this time, in milliseconds, an event that Kafka has not brought is taken from the ledger. Default: 700 ms. */
  lateMs?: number;
}

/** The consumer group of an app. The processes of the app share its events. */
export function groupOf({ namespace, app }: Pick<RuntimeParts['config'], 'namespace' | 'app'>): string {
  return `${namespace}.${app}`;
}

/** The feed begins with `app.startAllMicroservices()` and ends with the app. The app must provide `Ledger` and `DataSource`. */
export function connectFeed(app: INestApplication, parts: RuntimeParts, options: ConnectOptions): void {
  const feed = makeFeed(app, parts, options);
  app
    .connectMicroservice<MicroserviceOptions>({ strategy: feed }, { deferInitialization: true })
    .useGlobalFilters(new ErrorsAsTheyAre());
  if (options.readinessNeedsFeed) parts.health.addReadiness('feed', () => feed.probe());
}

function makeFeed(
  app: INestApplication,
  { config, log, clock, ids, metrics }: RuntimeParts,
  { feedTakesMs, lateMs }: ConnectOptions,
): FeedServer {
  const { namespace } = config;
  const group = groupOf(config);
  const common = {
    dataSource: app.get(DataSource),
    ledger: app.get(Ledger),
    clock,
    ids,
    log,
    metrics,
    group,
    namespace,
    feedTakesMs,
    lateMs,
  };
  if (config.feed.kind === 'embedded') return new EmbeddedFeed(common);
  const { feed } = config;
  const client = (requestTimeoutMs?: number) => kafkaClient(feed, `strongroom-${config.app}`, log, requestTimeoutMs);
  const kafka = client();
  const cluster = new Cluster(kafka, common.dataSource, log, namespace);
  const identity = new LedgerIdentity(common.dataSource, log);
  const relay = new KafkaRelay({ ...common, kafka: client, cluster, identity, holder: `${config.app}-${ids.next()}` });
  return new KafkaFeed({ ...common, identity, client, kafka, cluster, relay });
}

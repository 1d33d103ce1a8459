/** Connects an app to its feed: the one way to do it, so that nothing of what belongs to it can be forgotten. */
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

export interface ConnectOptions {
  /** Whether the app is unready while no events come in. Not for one that answers without them. */
  readinessNeedsFeed: boolean;
  /** How long an event may be on its way before the second look handles it, in milliseconds. Default: five minutes. */
  feedTakesMs?: number;
}

/** The consumer group of an app: its processes share the events. */
export function groupOf({ namespace, app }: Pick<RuntimeParts['config'], 'namespace' | 'app'>): string {
  return `${namespace}.${app}`;
}

/** Begins with `app.startAllMicroservices()`, ends with the app. The app must provide `Ledger` and `DataSource`. */
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
  { feedTakesMs }: ConnectOptions,
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
  };
  if (config.feed.kind === 'embedded') return new EmbeddedFeed(common);
  const kafka = kafkaClient(config.feed.brokers, `strongroom-${config.app}`, log);
  const cluster = new Cluster(kafka, common.dataSource, log, namespace);
  const relay = new KafkaRelay({ ...common, kafka, cluster, holder: `${config.app}-${ids.next()}` });
  return new KafkaFeed({ ...common, kafka, cluster, relay });
}

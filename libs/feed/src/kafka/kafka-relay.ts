/** The relay of a process, with a loop for each topic, which appends wake up. Every app runs one, and one at a time works. */
import { aggregates } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import type { Clock, Logger, Metrics } from '@strongroom/runtime';
import type { Kafka } from 'kafkajs';
import type { DataSource } from 'typeorm';
import type { LedgerIdentity } from '../ledger-identity.js';
import type { Cluster } from './cluster.js';
import { RelayLeases } from './relay-leases.js';
import { type TopicLag, TopicRelay } from './topic-relay.js';

export interface KafkaRelayOptions {
  /** A client whose requests may take this long, in milliseconds. */
  kafka(requestTimeoutMs: number): Kafka;
  dataSource: DataSource;
  ledger: Ledger;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  namespace: string;
  /** Who holds the leases. It is unique to the process. */
  holder: string;
  cluster: Cluster;
  identity: LedgerIdentity;
}

export class KafkaRelay {
  private readonly relays: TopicRelay[];
  private readonly leases: RelayLeases;
  private stopNotices: (() => Promise<void>) | undefined;
  private measuring: Promise<TopicLag[]> | undefined;

  constructor(private readonly options: KafkaRelayOptions) {
    const { metrics, clock, dataSource, holder } = options;
    const leases = new RelayLeases(dataSource, holder);
    this.leases = leases;
    const cut = metrics.counter({
      name: 'strongroom_relay_set_aside_total',
      help: 'Events that Kafka did not take as they are, by topic. They were sent without their value, or not at all; they are in the ledger.',
      labels: ['topic'],
    });
    const setAside = (topic: string) => cut.inc({ topic });
    this.relays = aggregates.map(
      (aggregate) => new TopicRelay({ ...options, leases, kafka: (ms) => options.kafka(ms), aggregate, setAside }),
    );
    metrics.gauge({
      name: 'strongroom_relay_lag_seconds',
      help: 'How long the oldest event that is not in Kafka yet has been in the ledger, by topic; 0 when none waits.',
      labels: ['topic'],
      measure: async (gauge) => {
        for (const { topic, oldestAt } of await this.lags()) {
          const waitingMs = oldestAt ? clock.now().getTime() - oldestAt.getTime() : 0;
          gauge.set({ topic }, Math.max(0, waitingMs) / 1_000);
        }
      },
    });
    metrics.gauge({
      name: 'strongroom_relay_lag_events',
      help: 'Events in the ledger that are not in Kafka yet, by topic; counted up to 100,000.',
      labels: ['topic'],
      measure: async (gauge) => {
        for (const { topic, events } of await this.lags()) gauge.set({ topic }, events);
      },
    });
  }

  async start(): Promise<void> {
    this.leases.start();
    for (const relay of this.relays) relay.start();
    this.stopNotices = await this.options.ledger.onAppend(() => {
      for (const relay of this.relays) relay.wake();
    });
  }

  async stop(): Promise<void> {
    await this.stopNotices?.();
    await Promise.all(this.relays.map((relay) => relay.stop()));
    this.leases.stop();
  }

  /** Counts once for both gauges, which are read at the same time. */
  private lags(): Promise<TopicLag[]> {
    this.measuring ??= Promise.all(this.relays.map((relay) => relay.lag())).finally(() => {
      this.measuring = undefined;
    });
    return this.measuring;
  }
}

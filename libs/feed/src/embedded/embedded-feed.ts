/**
 * The feed without a broker: tails the ledger itself. For one machine; the same handlers and guarantees as over Kafka.
 * Any number of processes may run it: they take turns at the offset's row, and each event is handled by one of them.
 */
import { type Aggregate, aggregates, topicName } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import { type Ids, type Logger, type Metrics, WorkLoop } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { Batch } from '../batch.js';
import { DeadLetters } from '../dead-letters.js';
import { handledOf, type PartitionKey } from '../feed-offsets.js';
import { FeedServer } from '../feed-server.js';

export interface EmbeddedFeedOptions {
  dataSource: DataSource;
  ledger: Ledger;
  ids: Ids;
  log: Logger;
  metrics: Metrics;
  group: string;
  namespace: string;
}

const source = 'ledger';
const batchSize = 200;
const pollMs = 1_000;
const replayMs = 5_000;

export class EmbeddedFeed extends FeedServer {
  private readonly deadLetters: DeadLetters;
  private readonly loops: WorkLoop[] = [];
  private stopNotices: (() => Promise<void>) | undefined;

  constructor(private readonly options: EmbeddedFeedOptions) {
    super();
    const { dataSource, group, ids, log, metrics } = options;
    this.deadLetters = new DeadLetters(dataSource, group, ids, log);
    metrics.gauge({
      name: 'strongroom_feed_lag_events',
      help: 'Events that this group has not handled yet, by topic; counted up to 100,000.',
      labels: ['topic'],
      measure: async (gauge) => {
        for (const aggregate of aggregates) {
          const { events } = await options.ledger.lag(aggregate, await this.handled(aggregate));
          gauge.set({ topic: this.topic(aggregate) }, events);
        }
      },
    });
    metrics.gauge({
      name: 'strongroom_dead_letters',
      help: 'Messages set aside by this group and not replayed.',
      measure: async (gauge) => gauge.set(await this.deadLetters.waiting()),
    });
  }

  async listen(callback: () => void): Promise<void> {
    const { dataSource, log } = this.options;
    const parts = {
      dataSource,
      handlers: this.handlers,
      deadLetters: this.deadLetters,
      publishDeadLetter: async () => {},
    };
    for (const aggregate of aggregates) {
      const key: PartitionKey = { ...this.keyOf(aggregate), partition: 0 };
      const batch = new Batch(parts, key);
      this.loops.push(
        new WorkLoop({
          name: `feed of ${key.topic}`,
          intervalMs: pollMs,
          log,
          pass: () => this.next(aggregate, batch),
        }),
      );
    }
    this.loops.push(
      new WorkLoop({
        name: 'replay of dead letters',
        intervalMs: replayMs,
        log,
        pass: () => this.deadLetters.replayAsked(this.handlers),
      }),
    );
    this.stopNotices = await this.options.ledger.onAppend(() => {
      for (const loop of this.loops) loop.wake();
    });
    for (const loop of this.loops) loop.start();
    callback();
  }

  async close(): Promise<void> {
    await this.stopNotices?.();
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  probe(): Promise<void> {
    if (this.loops.some((loop) => loop.failing))
      return Promise.reject(new Error('events are not handled at the moment; see the log'));
    return Promise.resolve();
  }

  private async next(aggregate: Aggregate, batch: Batch): Promise<'again' | 'done'> {
    const rows = await this.options.ledger.tail(aggregate, await this.handled(aggregate), batchSize);
    if (rows.length === 0) return 'done';
    await batch.handle(
      rows.map(({ position, event }) => ({
        topic: this.topic(aggregate),
        partition: 0,
        offset: BigInt(position),
        position,
        value: event,
        headers: {},
      })),
    );
    return 'again';
  }

  private async handled(aggregate: Aggregate): Promise<number> {
    return (await handledOf(this.options.dataSource.manager, this.keyOf(aggregate))).get(0)?.position ?? 0;
  }

  private keyOf(aggregate: Aggregate) {
    return { group: this.options.group, source, topic: this.topic(aggregate) };
  }

  private topic(aggregate: Aggregate): string {
    return topicName(aggregate, this.options.namespace);
  }
}

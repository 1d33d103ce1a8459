/**
 * The feed over Kafka. Where a group is, PostgreSQL says, in the transaction of the handlers; what Kafka keeps of it
 * serves its tools only. A consumer that was fenced or frozen finds the offset's row moved, and skips.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { aggregates, deadLetterTopic, topicName } from '@strongroom/contracts';
import { isOutage } from '@strongroom/ledger';
import { type Ids, type Logger, type Metrics, WorkLoop } from '@strongroom/runtime';
import {
  type Consumer,
  type EachBatchPayload,
  type Kafka,
  type KafkaMessage,
  Partitioners,
  type Producer,
} from 'kafkajs';
import type { DataSource } from 'typeorm';
import { Batch } from '../batch.js';
import { DeadLetters } from '../dead-letters.js';
import type { FeedMessage } from '../feed-message.js';
import { handledOf } from '../feed-offsets.js';
import { FeedServer } from '../feed-server.js';
import { positionHeader } from './cloud-event.js';
import type { KafkaRelay } from './kafka-relay.js';

export interface KafkaFeedOptions {
  kafka: Kafka;
  dataSource: DataSource;
  ids: Ids;
  log: Logger;
  metrics: Metrics;
  group: string;
  namespace: string;
  source: () => Promise<string>;
  relay: KafkaRelay;
}

const chunkSize = 200;
const replayMs = 5_000;
const outagePauseMs = 500;
const restartMs = 1_000;

export class KafkaFeed extends FeedServer {
  private readonly deadLetters: DeadLetters;
  private readonly topics: string[];
  private readonly replay: WorkLoop;
  private readonly consuming: WorkLoop;
  private consumer: Consumer | undefined;
  private deadLetterProducer: Producer | undefined;
  private joined = false;
  private stopping = false;

  constructor(private readonly options: KafkaFeedOptions) {
    super();
    const { dataSource, group, ids, log, namespace } = options;
    this.topics = aggregates.map((kind) => topicName(kind, namespace));
    this.deadLetters = new DeadLetters(dataSource, group, ids, log);
    this.replay = new WorkLoop({
      name: 'replay of dead letters',
      intervalMs: replayMs,
      log,
      pass: () => this.deadLetters.replayAsked(this.handlers),
    });
    this.consuming = new WorkLoop({
      name: 'feed over Kafka',
      intervalMs: restartMs,
      longestBackOffMs: 5_000,
      log,
      pass: (signal) => this.consume(signal),
    });
  }

  /** An app without handlers only relays. */
  private get isConsumer(): boolean {
    return this.handlers.any;
  }

  async listen(callback: () => void): Promise<void> {
    await this.options.relay.start();
    if (this.isConsumer) {
      this.measure();
      this.consuming.start();
      this.replay.start();
    }
    callback();
  }

  async close(): Promise<void> {
    this.stopping = true;
    await Promise.all([this.options.relay.stop(), this.consuming.stop(), this.replay.stop()]);
    await this.deadLetterProducer?.disconnect().catch(() => {});
  }

  probe(): Promise<void> {
    if (!this.isConsumer || this.joined) return Promise.resolve();
    return Promise.reject(new Error('no member of its consumer group: Kafka is away, or the group is just forming'));
  }

  /** One life of a consumer: from its connection to its crash, or to the stop. */
  private async consume(signal: AbortSignal): Promise<void> {
    const { kafka, group, source: clusterOf } = this.options;
    const source = await clusterOf();
    const consumer = kafka.consumer({
      groupId: group,
      sessionTimeout: 10_000,
      heartbeatInterval: 1_000,
      rebalanceTimeout: 20_000,
      maxWaitTimeInMs: 250,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 },
    });
    this.consumer = consumer;
    const over = new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    });
    over.catch(() => {});
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      this.joined = true;
      this.seek(consumer, source, payload.memberAssignment).catch((error: unknown) =>
        this.options.log.debug(
          { err: error },
          'offsets not looked up: messages handled before will be skipped one by one',
        ),
      );
    });
    consumer.on(consumer.events.REBALANCING, () => {
      this.joined = false;
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: this.topics, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 3,
        eachBatch: (payload) => this.eachBatch(source, payload),
      });
      await over;
    } finally {
      this.joined = false;
      this.consumer = undefined;
      await consumer.disconnect().catch(() => {});
    }
  }

  /** Only saves work: the offset's row is what counts. */
  private async seek(consumer: Consumer, source: string, assignment: Record<string, number[]>): Promise<void> {
    const { dataSource, group } = this.options;
    for (const [topic, partitions] of Object.entries(assignment)) {
      const handled = await handledOf(dataSource.manager, { group, source, topic });
      for (const partition of partitions) {
        const offset = handled.get(partition)?.offset ?? -1n;
        if (offset >= 0n) consumer.seek({ topic, partition, offset: String(offset + 1n) });
      }
    }
  }

  private async eachBatch(source: string, payload: EachBatchPayload): Promise<void> {
    const { batch, isRunning, isStale, resolveOffset, heartbeat } = payload;
    const { topic, partition } = batch;
    const { dataSource, group } = this.options;
    const parts = {
      dataSource,
      handlers: this.handlers,
      deadLetters: this.deadLetters,
      publishDeadLetter: (message: FeedMessage, error: unknown) => this.publishDeadLetter(message, error),
    };
    const handling = new Batch(parts, { group, source, topic, partition });
    for (let from = 0; from < batch.messages.length; from += chunkSize) {
      const chunk = batch.messages.slice(from, from + chunkSize);
      const last = chunk.at(-1);
      if (
        !last ||
        !(await this.whatEver(() => handling.handle(chunk.map((each) => messageOf(topic, partition, each))), payload))
      )
        return;
      resolveOffset(last.offset);
      await heartbeat();
    }
    if (!isRunning() || isStale()) return;
    resolveOffset(batch.lastOffset());
    await this.consumer
      ?.commitOffsets([{ topic, partition, offset: String(BigInt(batch.lastOffset()) + 1n) }])
      .catch((error: unknown) =>
        this.options.log.debug({ err: error }, 'offset not told to Kafka; its tools will show an older one'),
      );
  }

  /** Waits an outage out, with heartbeats, so that the partition stays ours. False when it is ours no longer. */
  private async whatEver(
    handle: () => Promise<unknown>,
    { isRunning, isStale, heartbeat }: EachBatchPayload,
  ): Promise<boolean> {
    for (let failures = 0; isRunning() && !isStale() && !this.stopping; failures += 1) {
      try {
        await handle();
        return true;
      } catch (error) {
        // The client takes a TypeError for the end of the consumer: what it gets to see is a plain error.
        if (!isOutage(error)) throw new Error(error instanceof Error ? error.message : String(error), { cause: error });
        if (failures === 0)
          this.options.log.warn({ err: error }, 'events wait: the database is away; trying again until it is back');
      }
      await delay(outagePauseMs);
      await heartbeat();
    }
    return false;
  }

  private async publishDeadLetter({ value, headers }: FeedMessage, error: unknown): Promise<void> {
    const { kafka, namespace, group } = this.options;
    this.deadLetterProducer ??= kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    const producer = this.deadLetterProducer;
    await producer.connect();
    const why = error instanceof Error ? error.message : String(error);
    await producer.send({
      topic: deadLetterTopic(namespace),
      acks: -1,
      messages: [
        {
          value: typeof value === 'string' ? value : JSON.stringify(value),
          headers: { ...headers, 'strongroom-group': group, 'strongroom-error': why.slice(0, 1_000) },
        },
      ],
    });
  }

  private measure(): void {
    const { metrics, kafka, dataSource, group, source } = this.options;
    metrics.gauge({
      name: 'strongroom_feed_lag_events',
      help: 'Messages that this group has not handled yet, by topic.',
      labels: ['topic'],
      measure: async (gauge) => {
        const admin = kafka.admin();
        await admin.connect();
        try {
          for (const topic of this.topics) {
            const handled = await handledOf(dataSource.manager, { group, source: await source(), topic });
            const behind = (await admin.fetchTopicOffsets(topic)).map(({ partition, high, low }) => {
              const next = (handled.get(partition)?.offset ?? -1n) + 1n;
              const begin = next > BigInt(low) ? next : BigInt(low);
              return Math.max(0, Number(BigInt(high) - begin));
            });
            gauge.set(
              { topic },
              behind.reduce((sum, each) => sum + each, 0),
            );
          }
        } finally {
          await admin.disconnect();
        }
      },
    });
    metrics.gauge({
      name: 'strongroom_dead_letters',
      help: 'Messages set aside by this group and not replayed.',
      measure: async (gauge) => gauge.set(await this.deadLetters.waiting()),
    });
  }
}

function messageOf(topic: string, partition: number, { offset, value, headers = {} }: KafkaMessage): FeedMessage {
  const texts = Object.fromEntries(Object.entries(headers).map(([name, header]) => [name, String(header)]));
  const position = Number(texts[positionHeader]);
  return {
    topic,
    partition,
    offset: BigInt(offset),
    position: Number.isSafeInteger(position) && position > 0 ? position : undefined,
    value: value?.toString('utf8') ?? '',
    headers: texts,
  };
}

/**
 * The feed over Kafka. How far a group is stands in PostgreSQL, and changes in the transaction of the handlers. What is
 * committed to Kafka serves only Kafka's tools. A consumer that was fenced or frozen finds that the row of the offset has
 * moved on, and skips the messages.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, topicName } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import { type Clock, endsWithin, type Ids, type Logger, type Metrics, WorkLoop } from '@strongroom/runtime';
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { type BatchParts, isTemporary } from '../batch.js';
import { DeadLetters } from '../dead-letters.js';
import { EarlyLook } from '../early-look.js';
import { type FeedMessage, readMessage } from '../feed-message.js';
import { FeedMetrics } from '../feed-metrics.js';
import { handledOf } from '../feed-offsets.js';
import { FeedServer } from '../feed-server.js';
import type { LedgerIdentity } from '../ledger-identity.js';
import { LetterReplay } from '../letter-replay.js';
import type { OffsetGap } from '../offset-gap.js';
import { placesIn } from '../place-of-event.js';
import { SecondLook } from '../second-look.js';
import { positionHeader } from './cloud-event.js';
import type { Cluster } from './cluster.js';
import { ConsumerPace } from './consumer-pace.js';
import { watch } from './consumer-watch.js';
import { DeadLetterTopic } from './dead-letter-topic.js';
import type { KafkaRelay } from './kafka-relay.js';
import { SharedLots } from './shared-lots.js';
import { ToldOffsets } from './told-offsets.js';
import { partitionOfKey } from './topic-sender.js';

export interface KafkaFeedOptions {
  /** A client whose requests may take this long, in milliseconds. Default: 15 s. */
  client(requestTimeoutMs?: number): Kafka;
  kafka: Kafka;
  dataSource: DataSource;
  ledger: Ledger;
  clock: Clock;
  ids: Ids;
  log: Logger;
  metrics: Metrics;
  group: string;
  namespace: string;
  cluster: Cluster;
  relay: KafkaRelay;
  identity: LedgerIdentity;
  feedTakesMs?: number | undefined;
  /** How long Kafka may take for an event before it is taken from the ledger, in milliseconds. */
  lateMs?: number | undefined;
}

const chunkSize = 200;
/** Partitions with news come together from the broker, and are handled together. */
const partitionsAtOnce = 12;
const outagePauseMs = 500;
const restartMs = 1_000;
const heartbeatMs = 1_000;
const disconnectMs = 5_000;
/** A broker lets the first members of a group wait for three seconds, by its default. */
const longestBeginMs = 4_000;

type KafkaBatchParts = BatchParts & { metrics: FeedMetrics };

/** What the batches need to know of one life of a consumer, from its connection to its crash. */
interface Life {
  consumer: Consumer;
  told: ToldOffsets;
  source: string;
  parts: KafkaBatchParts;
  lots: SharedLots;
  /** By partition, the offset of the first message that the topic still has, where earlier ones were missed. */
  begins: Map<string, bigint>;
  /** Whether the consumer is to end. */
  isOver: boolean;
}

type Batched = EachBatchPayload['batch'];
/** The offset from which a batch was asked for. Between it and the first message there is nothing. */
const fetched = z.object({ fetchedOffset: z.coerce.bigint() });

export class KafkaFeed extends FeedServer {
  private readonly deadLetterTopic: DeadLetterTopic;
  private loops: WorkLoop[] = [];
  private secondLook: SecondLook | undefined;
  private earlyLook: EarlyLook | undefined;
  private replay: LetterReplay | undefined;
  private joined = false;
  /** Why the last consumer ended. */
  private trouble: string | undefined;
  /** What the events in hand wait for. */
  private waitsFor: string | undefined;
  private readonly pace = new ConsumerPace();

  constructor(private readonly options: KafkaFeedOptions) {
    super();
    const { kafka, group, namespace, cluster } = options;
    this.deadLetterTopic = new DeadLetterTopic({ kafka, group, namespace, cluster });
  }

  async listen(callback: () => void): Promise<void> {
    await this.options.relay.start();
    // An app without handlers only relays.
    if (this.handlers.any) await this.follow();
    callback();
  }

  async close(): Promise<void> {
    const { replay, secondLook, earlyLook, loops } = this;
    await Promise.all([this.options.relay, replay, secondLook, earlyLook, ...loops].map((each) => each?.stop()));
    await this.deadLetterTopic.close();
  }

  probe(): Promise<void> {
    if (!this.handlers.any || (this.joined && this.waitsFor === undefined)) return Promise.resolve();
    if (this.joined) return Promise.reject(new Error(`events wait: ${this.waitsFor}`));
    return Promise.reject(
      new Error(`no member of its consumer group: ${this.trouble ?? 'Kafka is away, or the group is just forming'}`),
    );
  }

  private get topics(): string[] {
    return this.handlers.aggregates.map((kind) => topicName(kind, this.options.namespace));
  }

  private async follow(): Promise<void> {
    const { dataSource, ledger, group, namespace, clock, ids, log, metrics } = this.options;
    const placeOf = placesIn(namespace, partitionOfKey);
    const deadLetters = new DeadLetters(dataSource, group, ids, log);
    const parts: KafkaBatchParts = {
      dataSource,
      ledger,
      log,
      handlers: this.handlers,
      deadLetters,
      metrics: new FeedMetrics({ metrics, clock, deadLetters, behind: () => this.behind() }),
      belongs: (event, { topic, partition }, { spreadOver = null }) => {
        const place = placeOf(event, spreadOver);
        return topic === place.topic && partition === (place.partition ?? partition);
      },
      lostOf: (ledger) => this.options.identity.hasLost(ledger, 'Kafka has events that the ledger has not'),
      publishDeadLetter: (message, error) => this.deadLetterTopic.publish(message, error),
    };
    this.loops = [
      new WorkLoop({
        name: 'feed over Kafka',
        intervalMs: restartMs,
        longestBackOffMs: 5_000,
        log,
        pass: (signal) => this.consume(parts, signal),
      }),
    ];
    this.secondLook = new SecondLook({ ...this.options, handlers: this.handlers, deadLetters });
    this.earlyLook = new EarlyLook({ ...this.options, handlers: this.handlers, placeOf });
    for (const loop of [...this.loops, this.secondLook]) loop.start();
    this.replay = new LetterReplay({ ledger, log, handlers: this.handlers, deadLetters });
    await Promise.all([this.earlyLook.start(), this.replay.start()]);
  }

  /** Runs one consumer, from its connection to its crash or to the stop. */
  private async consume(parts: KafkaBatchParts, signal: AbortSignal): Promise<void> {
    try {
      await this.live(parts, signal);
    } catch (error) {
      this.trouble = messageOf(error);
      this.options.cluster.forget();
      throw error;
    }
  }

  private async live(parts: KafkaBatchParts, signal: AbortSignal): Promise<void> {
    const { group, cluster, log } = this.options;
    const source = await cluster.source();
    if (signal.aborted) return;
    const { fetchBytes, requestTimeoutMs, sessionTimeoutMs } = this.pace.settings;
    const consumer = this.options.client(requestTimeoutMs).consumer({
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatMs,
      rebalanceTimeout: 2 * sessionTimeoutMs,
      maxWaitTimeInMs: 250,
      maxBytes: fetchBytes,
      maxBytesPerPartition: fetchBytes,
      // A partition that gets its leader back is read again after this time.
      metadataMaxAge: 30_000,
      allowAutoTopicCreation: false,
      // After a crash this loop begins another life. A client that restarted itself would be a second member.
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5, restartOnFailure: () => Promise.resolve(false) },
    });
    const told = new ToldOffsets(consumer, log);
    const life: Life = { consumer, told, source, parts, lots: new SharedLots(parts), begins: new Map(), isOver: false };
    const { over, end } = watch(consumer, this.pace, signal);
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      this.joined = true;
      this.trouble = undefined;
      this.seek(life, payload.memberAssignment).catch((error: unknown) =>
        log.debug({ err: error }, 'offsets not looked up: the first batch of each partition tells'),
      );
    });
    consumer.on(consumer.events.REBALANCING, () => {
      this.joined = false;
    });
    const begun = this.begin(life);
    try {
      await Promise.race([begun, over]);
      await over;
    } finally {
      end();
      life.isOver = true;
      told.end();
      this.joined = false;
      this.waitsFor = undefined;
      // A broker that is frozen answers a goodbye no more than anything else.
      await Promise.race([leave(consumer, begun), delay(disconnectMs, undefined, { ref: false })]);
    }
  }

  private async begin(life: Life): Promise<void> {
    const { consumer } = life;
    await consumer.connect();
    if (life.isOver) return;
    await consumer.subscribe({ topics: this.topics, fromBeginning: true });
    if (life.isOver) return;
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: partitionsAtOnce,
      eachBatch: (payload) => this.eachBatch(life, payload),
    });
  }

  /**
   * Begins each partition where the row of its offset says, whatever Kafka's own offset is. A partition that Kafka takes for
   * read to its end would bring nothing that tells of the gap.
   */
  private async seek({ consumer, source }: Life, assignment: Record<string, number[]>): Promise<void> {
    const { dataSource, group } = this.options;
    for (const [topic, partitions] of Object.entries(assignment)) {
      const handled = await handledOf(dataSource.manager, { group, source, topic });
      for (const partition of partitions) {
        const offset = handled.get(partition)?.offset ?? -1n;
        consumer.seek({ topic, partition, offset: String(offset + 1n) });
      }
    }
  }

  private async eachBatch(life: Life, payload: EachBatchPayload): Promise<void> {
    const { source } = life;
    const { batch, isRunning, isStale, resolveOffset, heartbeat } = payload;
    const { topic, partition } = batch;
    const key = { group: this.options.group, source, topic, partition };
    const { fetchedOffset } = fetched.parse(batch);
    const isBegin = fetchedOffset <= (life.begins.get(placeOf(batch)) ?? 0n);
    let follows = isBegin ? undefined : fetchedOffset - 1n;
    for (let from = 0; from < batch.messages.length; from += chunkSize) {
      const messages = batch.messages
        .slice(from, from + chunkSize)
        .map((each) => readMessage(feedMessageOf(topic, partition, each)));
      const last = messages.at(-1);
      let gap: OffsetGap | undefined;
      const handle = async () => {
        gap = await life.lots.handle({ key, messages, follows });
      };
      if (!last || !(await this.persist(handle, payload))) return;
      if (gap) return this.goBack(life, batch, gap);
      follows = last.message.offset;
      resolveOffset(String(follows));
      await heartbeat();
    }
    if (!isRunning() || isStale()) return;
    resolveOffset(batch.lastOffset());
    life.told.tell({ topic, partition, offset: String(BigInt(batch.lastOffset()) + 1n) });
  }

  /**
   * The database has lost its last commits, and with them what was handled; or the consumer began too late. It reads again from
   * where the group is. Messages that are gone from the topic are told, and the second look finds their events in the ledger.
   */
  private async goBack({ consumer, parts, begins }: Life, batch: Batched, { handled }: OffsetGap): Promise<void> {
    const { topic, partition } = batch;
    const next = handled + 1n;
    const first = await this.firstOf(topic, partition);
    const place = { topic, partition, handled: String(handled) };
    if (next < first) {
      begins.set(placeOf(batch), first);
      parts.metrics.gone(topic, Number(first - next));
      this.options.log.error(
        { ...place, first: String(first) },
        'messages are gone from the topic and were not handled: the second look handles their events',
      );
    } else
      this.options.log.warn(place, 'messages were not handled, or what was handled is lost: read again from there');
    consumer.seek({ topic, partition, offset: String(next < first ? first : next) });
  }

  /** The offset of the first message that a partition still has. */
  private async firstOf(topic: string, partition: number): Promise<bigint> {
    const admin = this.options.kafka.admin();
    try {
      await admin.connect();
      const offsets = await admin.fetchTopicOffsets(topic);
      return BigInt(offsets.find((each) => each.partition === partition)?.low ?? 0);
    } finally {
      await admin.disconnect().catch(() => {});
    }
  }

  /** Waits for the end of an outage, with heartbeats so that the partition is kept. @returns whether it was kept */
  private async persist(
    handle: () => Promise<void>,
    { isRunning, isStale, heartbeat }: EachBatchPayload,
  ): Promise<boolean> {
    const { log } = this.options;
    let failures = 0;
    while (isRunning() && !isStale()) {
      // A heartbeat that fails here is ignored: the next one that is awaited shows the failure.
      const beating = setInterval(() => void heartbeat().catch(() => {}), heartbeatMs);
      try {
        await handle();
        if (failures > 0) log.info({ failures }, 'events are handled again');
        this.waitsFor = undefined;
        return true;
      } catch (error) {
        // The client ends the consumer on a TypeError, so it is given a plain error.
        if (!isTemporary(error)) throw new Error(messageOf(error), { cause: error });
        failures += 1;
        this.waitsFor = messageOf(error);
        if (failures === 1) log.warn({ err: error }, 'events wait for an outage to end; tried again until it does');
      } finally {
        clearInterval(beating);
      }
      await delay(outagePauseMs);
      await heartbeat();
    }
    return false;
  }

  private async behind(): Promise<Map<string, number>> {
    const { kafka, dataSource, group, cluster } = this.options;
    const source = await cluster.source();
    const lags = new Map<string, number>();
    const admin = kafka.admin();
    try {
      await admin.connect();
      for (const topic of this.topics) {
        const handled = await handledOf(dataSource.manager, { group, source, topic });
        let events = 0;
        for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
          const next = (handled.get(partition)?.offset ?? -1n) + 1n;
          const begin = next > BigInt(low) ? next : BigInt(low);
          events += Math.max(0, Number(BigInt(high) - begin));
        }
        lags.set(topic, events);
      }
    } finally {
      await admin.disconnect().catch(() => {});
    }
    return lags;
  }
}

/**
 * Ends a consumer when it has begun: one that is just joining its group takes no notice of its end, and connects again. A broker that
 * lets it wait is not waited for.
 */
async function leave(consumer: Consumer, begun: Promise<void>): Promise<void> {
  const settled = begun.catch(() => {});
  const hasBegun = await endsWithin(settled, longestBeginMs);
  await consumer.disconnect().catch(() => {});
  if (!hasBegun) void settled.then(() => consumer.disconnect()).catch(() => {});
}

function placeOf({ topic, partition }: Batched): string {
  return `${topic}/${partition}`;
}

function feedMessageOf(topic: string, partition: number, { offset, value, headers = {} }: KafkaMessage): FeedMessage {
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

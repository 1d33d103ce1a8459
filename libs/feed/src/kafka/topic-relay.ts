/**
 * Carries one topic's events from the ledger to Kafka, in order. Of any number of processes the one that holds the
 * cursor's lease does it. A lease and not a lock: a process that is frozen keeps its connections, and with them its locks.
 *
 * What was sent when a relay dies or freezes is sent again by the next: in order, and known to consumers by its position.
 */
import { type Aggregate, topicName } from '@strongroom/contracts';
import type { Ledger, TailRow } from '@strongroom/ledger';
import { type Logger, WorkLoop } from '@strongroom/runtime';
import { type Kafka, Partitioners, type Producer } from 'kafkajs';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { messageOf } from './cloud-event.js';
import type { Cluster } from './cluster.js';

export interface TopicRelayOptions {
  kafka: Kafka;
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  aggregate: Aggregate;
  namespace: string;
  /** Who holds the lease: unique to the process. */
  holder: string;
  cluster: Cluster;
}

/** What a topic has yet to be sent. */
export interface TopicLag {
  topic: string;
  events: number;
  /** Since when the oldest waits. */
  oldestAt: Date | null;
}

const pollMs = 1_000;
const batchSize = 500;
/** Of JSON; half of what a broker takes in one batch. */
const batchBytes = 500_000;
const leaseMs = 5_000;

const cursors = z.array(z.object({ position: z.coerce.number() }));

export class TopicRelay {
  readonly topic: string;
  private readonly loop: WorkLoop;
  private readonly holder: string;
  private producer: Producer | undefined;
  private source: string | undefined;

  constructor(private readonly options: TopicRelayOptions) {
    this.topic = topicName(options.aggregate, options.namespace);
    this.holder = options.holder;
    this.loop = new WorkLoop({
      name: `relay of ${this.topic}`,
      intervalMs: pollMs,
      longestBackOffMs: 3_000,
      log: options.log,
      pass: () => this.pass(),
    });
  }

  start(): void {
    this.loop.start();
  }

  wake(): void {
    this.loop.wake();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    await this.dropProducer();
    if (this.source !== undefined) {
      // The next one need not wait for the lease to lapse.
      await this.options.dataSource
        .query('update relay_cursor set held_until = null where source = $1 and topic = $2 and holder = $3', [
          this.source,
          this.topic,
          this.holder,
        ])
        .catch(() => {});
    }
  }

  /** Asks the database only: a broker that is away is what the lag is to show. Its source is the one last relayed to. */
  async lag(): Promise<TopicLag> {
    const { dataSource, ledger, aggregate } = this.options;
    const { topic, source = null } = this;
    const rows: unknown = await dataSource.query(
      `select position from relay_cursor where topic = $1
       order by (source = $2) desc nulls last, moved_at desc limit 1`,
      [topic, source],
    );
    return { topic, ...(await ledger.lag(aggregate, cursors.parse(rows)[0]?.position ?? 0)) };
  }

  private async pass(): Promise<'again' | 'done'> {
    const source = await this.options.cluster.source();
    this.source = source;
    const cursor = await this.lease(source);
    if (cursor === undefined) return 'done';
    const rows = await this.options.ledger.tail(this.options.aggregate, cursor, batchSize);
    const last = rows.at(-1);
    if (!last) return 'done';
    try {
      const producer = await this.connected();
      for (const messages of batches(rows)) await producer.send({ topic: this.topic, acks: -1, messages });
    } catch (error) {
      // A producer that does not know what arrived must not go on in its numbering, nor towards a cluster that was replaced.
      await this.dropProducer();
      this.options.cluster.forget();
      throw error;
    }
    await this.options.dataSource.query(
      `update relay_cursor set position = $4, moved_at = now()
       where source = $1 and topic = $2 and holder = $3 and position = $5`,
      // Only from where it was: it is set back when the topic was lost meanwhile.
      [source, this.topic, this.holder, last.position, cursor],
    );
    return 'again';
  }

  /** Takes or prolongs the lease: the cursor, or undefined while another process holds it. */
  private async lease(source: string): Promise<number | undefined> {
    const { dataSource } = this.options;
    const taken: unknown = await dataSource.query(
      `with held as (
         update relay_cursor set holder = $3, held_until = now() + $4 * interval '1 ms', held_ms = $4
         where source = $1 and topic = $2 and (holder = $3 or held_until is null or held_until < now()
           -- Further ahead than it is long: made by a clock that was wrong.
           or held_until > now() + coalesce(held_ms, $4) * interval '1 ms' + interval '5 s')
         returning position
       ) select position from held`,
      [source, this.topic, this.holder, leaseMs],
    );
    const [row] = cursors.parse(taken);
    if (row) return row.position;
    await dataSource.query('insert into relay_cursor (source, topic) values ($1, $2) on conflict do nothing', [
      source,
      this.topic,
    ]);
    return undefined;
  }

  private async connected(): Promise<Producer> {
    if (this.producer) return this.producer;
    const producer = this.options.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
    });
    try {
      await producer.connect();
    } catch (error) {
      await producer.disconnect().catch(() => {});
      throw error;
    }
    this.producer = producer;
    return producer;
  }

  private async dropProducer(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    await producer?.disconnect().catch(() => {});
  }
}

function batches(rows: readonly TailRow[]) {
  const result: ReturnType<typeof messageOf>[][] = [];
  let bytes = batchBytes;
  for (const row of rows) {
    const message = messageOf(row);
    const messageBytes = Buffer.byteLength(message.value);
    bytes += messageBytes;
    if (bytes > batchBytes) {
      result.push([]);
      bytes = messageBytes;
    }
    result.at(-1)?.push(message);
  }
  return result;
}

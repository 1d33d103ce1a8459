/**
 * Carries one topic's events from the ledger to Kafka, in order. Of any number of processes the one that holds the
 * advisory lock does it; the lock and the cursor live on one connection, so who loses it can no longer move the cursor.
 *
 * What was sent when a relay dies is sent again by the next: in order, and known to consumers by its position.
 */
import { type Aggregate, topicName } from '@strongroom/contracts';
import type { Ledger, TailRow } from '@strongroom/ledger';
import { type Logger, WorkLoop } from '@strongroom/runtime';
import { type Kafka, Partitioners, type Producer } from 'kafkajs';
import type { DataSource, QueryRunner } from 'typeorm';
import { z } from 'zod';
import { messageOf } from './cloud-event.js';

export interface TopicRelayOptions {
  kafka: Kafka;
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  aggregate: Aggregate;
  namespace: string;
  /** The cluster, once it is known. */
  source: () => Promise<string>;
}

const pollMs = 1_000;
const batchSize = 500;
/** Of JSON; half of what a broker takes in one batch. */
const batchBytes = 500_000;
const lockClass = 7_236_002;

const locked = z.array(z.object({ locked: z.boolean() })).length(1);
const cursors = z.array(z.object({ position: z.coerce.number() }));

export class TopicRelay {
  readonly topic: string;
  private readonly loop: WorkLoop;
  private holder: QueryRunner | undefined;
  private producer: Producer | undefined;

  constructor(private readonly options: TopicRelayOptions) {
    this.topic = topicName(options.aggregate, options.namespace);
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
    await this.letGo();
  }

  /** Events not sent yet, and since when the oldest waits. */
  async lag(): Promise<{ events: number; oldestAt: Date | null }> {
    const { dataSource, ledger, aggregate, source } = this.options;
    const rows: unknown = await dataSource.query('select position from relay_cursor where source = $1 and topic = $2', [
      await source(),
      this.topic,
    ]);
    return ledger.lag(aggregate, cursors.parse(rows)[0]?.position ?? 0);
  }

  private async pass(): Promise<'again' | 'done'> {
    try {
      const source = await this.options.source();
      const holder = await this.hold(source);
      if (!holder) return 'done';
      const cursor = await this.cursor(holder, source);
      const rows = await this.options.ledger.tail(this.options.aggregate, cursor, batchSize);
      const last = rows.at(-1);
      if (!last) return 'done';
      const producer = await this.connected();
      for (const messages of batches(rows)) await producer.send({ topic: this.topic, acks: -1, messages });
      await holder.query(
        'update relay_cursor set position = $3, moved_at = now() where source = $1 and topic = $2 and position < $3',
        [source, this.topic, last.position],
      );
      return 'again';
    } catch (error) {
      await this.letGo();
      throw error;
    }
  }

  /** The connection with the lock; undefined while another process has it. */
  private async hold(source: string): Promise<QueryRunner | undefined> {
    if (this.holder) return this.holder;
    const runner = this.options.dataSource.createQueryRunner();
    try {
      await runner.connect();
      const rows: unknown = await runner.query('select pg_try_advisory_lock($1, hashtext($2)) as locked', [
        lockClass,
        `${source} ${this.topic}`,
      ]);
      if (!locked.parse(rows)[0]?.locked) {
        await runner.release();
        return undefined;
      }
      await runner.query('insert into relay_cursor (source, topic) values ($1, $2) on conflict do nothing', [
        source,
        this.topic,
      ]);
    } catch (error) {
      await runner.release();
      throw error;
    }
    this.holder = runner;
    this.options.log.debug({ topic: this.topic }, 'this process relays');
    return runner;
  }

  private async cursor(holder: QueryRunner, source: string): Promise<number> {
    const rows: unknown = await holder.query('select position from relay_cursor where source = $1 and topic = $2', [
      source,
      this.topic,
    ]);
    return cursors.parse(rows)[0]?.position ?? 0;
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

  /** After a failure producer and lock are given up: a producer that does not know what arrived must not go on in its numbering. */
  private async letGo(): Promise<void> {
    const { producer, holder } = this;
    this.producer = undefined;
    this.holder = undefined;
    await producer?.disconnect().catch(() => {});
    if (!holder) return;
    await holder.query('select pg_advisory_unlock_all()').catch(() => {});
    await holder.release();
  }
}

function batches(rows: readonly TailRow[]) {
  const result: ReturnType<typeof messageOf>[][] = [];
  let bytes = batchBytes;
  for (const row of rows) {
    const message = messageOf(row);
    bytes += message.value.length;
    if (bytes > batchBytes) {
      result.push([]);
      bytes = message.value.length;
    }
    result.at(-1)?.push(message);
  }
  return result;
}

/**
 * Sends the events of one topic from the ledger to Kafka, in order. Only the process that holds the lease of the cursor does
 * it. It is a lease and not a lock, because a frozen process keeps its connections and with them its locks.
 *
 * When a relay dies or freezes, the next one sends the last events again, in order. Consumers recognise them by position.
 */
import { type Aggregate, topicName } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import { type Logger, WorkLoop } from '@strongroom/runtime';
import type { Kafka } from 'kafkajs';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { beginAnew } from '../feed-offsets.js';
import { cloudEventOf } from './cloud-event.js';
import type { Cluster } from './cluster.js';
import { RelayFault } from './relay-fault.js';
import { type Sent, TopicSender } from './topic-sender.js';

export interface TopicRelayOptions {
  kafka: Kafka;
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  aggregate: Aggregate;
  namespace: string;
  /** Who holds the lease. It is unique to the process. */
  holder: string;
  cluster: Cluster;
}

/** What is still to be sent to a topic. */
export interface TopicLag {
  topic: string;
  events: number;
  /** The time of the oldest event that waits. */
  oldestAt: Date | null;
}

const pollMs = 1_000;
const batchSize = 500;
const leaseMs = 5_000;
const lossIsSureMs = 10_000;

const cursors = z.array(z.object({ position: z.coerce.number() }));
/** By partition, the offset after the newest message that the partition has acknowledged. */
const ends = z.record(z.string(), z.coerce.bigint());
type Ends = z.infer<typeof ends>;
const heldCursors = z.array(z.object({ position: z.coerce.number(), ends }));

export class TopicRelay {
  readonly topic: string;
  private readonly loop: WorkLoop;
  private readonly holder: string;
  private sender: TopicSender | undefined;
  private seemsLostSince: number | undefined;
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
    await this.dropSender();
    if (this.source !== undefined) {
      // The next relay need not wait for the lease to lapse.
      await this.options.dataSource
        .query('update relay_cursor set held_until = null where source = $1 and topic = $2 and holder = $3', [
          this.source,
          this.topic,
          this.holder,
        ])
        .catch(() => {});
    }
  }

  /** Asks the database alone, so that the lag shows an outage of the broker. The source is the one of the last relay. */
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
    const held = await this.lease(source);
    if (held === undefined) return 'done';
    const { position: cursor, ends } = held;
    const rows = await this.options.ledger.tail(this.options.aggregate, cursor, batchSize);
    const last = rows.at(-1);
    if (!last) return 'done';
    let sent: Sent;
    try {
      const sender = await this.connected();
      if (this.hasLost(sender, ends)) return await this.refill(source);
      sent = await sender.send(rows.map((row) => ({ position: row.position, message: cloudEventOf(row) })));
      // The broker has given an offset for the second time, so the first message is lost.
      if (sent.taken.some(({ partition, baseOffset }) => baseOffset < endOf(ends, partition))) {
        return await this.refill(source);
      }
    } catch (error) {
      await this.beginAnew();
      throw error;
    }
    const unsent = rows.findIndex(({ position }) => position === sent.firstUnsent);
    await this.moveTo(source, cursor, unsent === -1 ? last.position : (rows[unsent - 1]?.position ?? cursor), sent);
    if (sent.firstUnsent === undefined) return 'again';
    await this.beginAnew();
    throw sent.error;
  }

  /**
   * Replaces the producer: one that does not know what arrived must not go on with its sequence numbers, nor with another
   * cluster.
   */
  private async beginAnew(): Promise<void> {
    await this.dropSender();
    this.options.cluster.forget();
  }

  private async moveTo(source: string, from: number, position: number, { taken }: Sent): Promise<void> {
    const ends: Record<string, string> = {};
    for (const { partition, baseOffset, count } of taken) {
      const end = baseOffset + BigInt(count);
      if (end > BigInt(ends[partition] ?? 0)) ends[partition] = String(end);
    }
    await this.options.dataSource.query(
      `update relay_cursor set position = $4, ends = ends || $6::jsonb, moved_at = now()
       where source = $1 and topic = $2 and holder = $3 and position = $5`,
      // The cursor moves only from where it was: it is set back when the topic was lost meanwhile.
      [source, this.topic, this.holder, position, from, JSON.stringify(ends)],
    );
  }

  /**
   * Whether a partition ends before what it has acknowledged, after an unclean election or the loss of a disk. A new leader
   * tells an older end for a moment, so the end is looked at again for a while.
   * @throws {RelayFault} while the end may still be an older one
   */
  private hasLost(sender: TopicSender, ends: Ends): boolean {
    const lost = [...sender.ends].some(([partition, end]) => end < endOf(ends, partition));
    if (!lost) {
      this.seemsLostSince = undefined;
      return false;
    }
    this.seemsLostSince ??= performance.now();
    if (performance.now() - this.seemsLostSince >= lossIsSureMs) return true;
    throw new RelayFault(
      'topic-seems-shorter',
      `${this.topic} ends before what the broker has acknowledged; looked at again in a moment`,
    );
  }

  private async refill(source: string): Promise<'again'> {
    await beginAnew(this.options.dataSource, source, [this.topic]);
    this.seemsLostSince = undefined;
    await this.dropSender();
    this.options.log.warn({ topic: this.topic }, 'the broker has lost what it acknowledged: the topic is filled anew');
    return 'again';
  }

  /** Takes or prolongs the lease. @returns the cursor; undefined while another process holds the lease */
  private async lease(source: string): Promise<{ position: number; ends: Ends } | undefined> {
    const { dataSource } = this.options;
    const taken: unknown = await dataSource.query(
      `with held as (
         update relay_cursor set holder = $3, held_until = now() + $4 * interval '1 ms', held_ms = $4
         where source = $1 and topic = $2 and (holder = $3 or held_until is null or held_until < now()
           -- Further ahead than it is long: made by a clock that was wrong.
           or held_until > now() + coalesce(held_ms, $4) * interval '1 ms' + interval '5 s')
         returning position, ends
       ) select position, ends from held`,
      [source, this.topic, this.holder, leaseMs],
    );
    const [row] = heldCursors.parse(taken);
    if (row) return row;
    await dataSource.query('insert into relay_cursor (source, topic) values ($1, $2) on conflict do nothing', [
      source,
      this.topic,
    ]);
    return undefined;
  }

  private async connected(): Promise<TopicSender> {
    this.sender ??= await TopicSender.connect(this.options.kafka, this.topic);
    return this.sender;
  }

  private async dropSender(): Promise<void> {
    const { sender } = this;
    this.sender = undefined;
    await sender?.disconnect().catch(() => {});
  }
}

function endOf(ends: Ends, partition: number): bigint {
  return ends[partition] ?? 0n;
}

/**
 * The feed without a broker: it reads the ledger itself. It is meant for one machine, and has the same handlers and
 * guarantees as the feed over Kafka. Any number of processes may run it: they take turns at the row of the offset, and each
 * event is handled by one of them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Aggregate, topicName } from '@strongroom/contracts';
import { type Ledger, newestOfKind } from '@strongroom/ledger';
import { type Clock, type Ids, type Logger, type Metrics, prepared, WorkLoop } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { Batch } from '../batch.js';
import { DeadLetters } from '../dead-letters.js';
import { FeedMetrics } from '../feed-metrics.js';
import { handledOf } from '../feed-offsets.js';
import { FeedServer } from '../feed-server.js';
import { LetterReplay } from '../letter-replay.js';
import { OffsetGap } from '../offset-gap.js';
import { SecondLook } from '../second-look.js';

export interface EmbeddedFeedOptions {
  dataSource: DataSource;
  ledger: Ledger;
  clock: Clock;
  ids: Ids;
  log: Logger;
  metrics: Metrics;
  group: string;
  namespace: string;
  feedTakesMs?: number | undefined;
}

const source = 'ledger';
const batchSize = 200;
/** Every append is told, and so is an offset that is taken back. */
const lookMs = 30_000;
/** Appends that follow each other faster are looked for together. What a look and a batch cost is shared by all of their events. */
const gapMs = 50;
/** A tail is woken for what is new. */
const tailMs = 600_000;

export class EmbeddedFeed extends FeedServer {
  private loops: WorkLoop[] = [];
  private secondLook: SecondLook | undefined;
  private replay: LetterReplay | undefined;
  private stopNotices: (() => Promise<void>) | undefined;

  constructor(private readonly options: EmbeddedFeedOptions) {
    super();
  }

  async listen(callback: () => void): Promise<void> {
    // An app without handlers has nothing to do here, because without a broker there is nothing to relay either.
    if (this.handlers.any) await this.follow();
    callback();
  }

  async close(): Promise<void> {
    await this.stopNotices?.();
    await Promise.all([...this.loops, this.secondLook, this.replay].map((each) => each?.stop()));
  }

  async probe(): Promise<void> {
    if (this.handlers.any && this.loops.length === 0) throw new Error('the feed has not begun');
    for (const loop of [...this.loops, this.replay]) await loop?.probe();
  }

  private async follow(): Promise<void> {
    const { dataSource, ledger, clock, ids, log, metrics, group } = this.options;
    const deadLetters = new DeadLetters(dataSource, group, ids, log);
    const parts = {
      dataSource,
      ledger,
      log,
      handlers: this.handlers,
      deadLetters,
      metrics: new FeedMetrics({ metrics, clock, deadLetters, behind: () => this.behind() }),
      publishDeadLetter: async () => {},
    };
    const { aggregates } = this.handlers;
    const tails = new Map(
      aggregates.map((aggregate) => {
        const key = { ...this.keyOf(aggregate), partition: 0 };
        const batch = new Batch(parts, key);
        const name = `feed of ${key.topic}`;
        return [aggregate, new WorkLoop({ name, intervalMs: tailMs, log, pass: () => this.next(aggregate, batch) })];
      }),
    );
    const news = new WorkLoop({
      name: 'news of the ledger',
      intervalMs: lookMs,
      log,
      pass: async () => {
        for (const aggregate of await this.behindIn(aggregates)) tails.get(aggregate)?.wake();
        await delay(gapMs);
      },
    });
    this.loops = [...tails.values(), news];
    this.stopNotices = await ledger.onAppend(() => news.wake());
    this.secondLook = new SecondLook({ ...this.options, handlers: this.handlers, deadLetters });
    for (const loop of [...this.loops, this.secondLook]) loop.start();
    this.replay = new LetterReplay({ ledger, log, handlers: this.handlers, deadLetters });
    await this.replay.start();
  }

  private async next(aggregate: Aggregate, batch: Batch): Promise<'again' | 'done'> {
    const handled = await this.handled(aggregate);
    const rows = await this.options.ledger.tail(aggregate, handled, batchSize);
    if (rows.length === 0) return 'done';
    try {
      await batch.handle(
        rows.map(({ position, event }) => ({
          topic: this.topic(aggregate),
          partition: 0,
          offset: BigInt(position),
          position,
          value: event,
          headers: {},
        })),
        handled === 0 ? undefined : BigInt(handled),
      );
      // What was appended meanwhile is told.
      return rows.length < batchSize ? 'done' : 'again';
    } catch (error) {
      // The database has lost its last commits since it was asked, and the next pass asks again.
      if (!(error instanceof OffsetGap)) throw error;
      this.options.log.warn({ err: error }, 'the database has lost what was handled: the events are read again');
    }
    return 'again';
  }

  /** The position of the last event that was handled or set aside. In this feed it is the offset as well. */
  private async handled(aggregate: Aggregate): Promise<number> {
    const { offset = 0n } = (await handledOf(this.options.dataSource.manager, this.keyOf(aggregate))).get(0) ?? {};
    return Math.max(0, Number(offset));
  }

  /** The kinds of aggregates that have events which the group has not handled. */
  private async behindIn(aggregates: readonly Aggregate[]): Promise<Aggregate[]> {
    const { dataSource, group } = this.options;
    const rows: unknown = await prepared(
      dataSource,
      `select a.aggregate from unnest($1::text[], $2::text[]) as a(aggregate, topic)
       left join feed_offset o on o.consumer_group = $3 and o.source = $4 and o.topic = a.topic and o.partition = 0
       where ${newestOfKind('a.aggregate')} > coalesce(o."offset", 0)`,
      [aggregates, aggregates.map((each) => this.topic(each)), group, source],
    );
    return z
      .array(z.object({ aggregate: z.enum(aggregates) }))
      .parse(rows)
      .map(({ aggregate }) => aggregate);
  }

  private async behind(): Promise<Map<string, number>> {
    const lags = new Map<string, number>();
    for (const aggregate of this.handlers.aggregates) {
      const { events } = await this.options.ledger.lag(aggregate, await this.handled(aggregate));
      lags.set(this.topic(aggregate), events);
    }
    return lags;
  }

  private keyOf(aggregate: Aggregate) {
    return { group: this.options.group, source, topic: this.topic(aggregate) };
  }

  private topic(aggregate: Aggregate): string {
    return topicName(aggregate, this.options.namespace);
  }
}

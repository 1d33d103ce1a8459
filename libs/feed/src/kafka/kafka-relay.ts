/**
 * The relay of a process, with a loop for each topic. Every app runs one, and one at a time works at a topic. An append wakes up the
 * loops of the process that holds the leases, and there those that have news. The other processes look a while later whether the
 * events are still to be sent, and that nobody does it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { aggregates } from '@strongroom/contracts';
import { type Ledger, wakeReaders } from '@strongroom/ledger';
import { type Clock, type Logger, type Metrics, WorkLoop } from '@strongroom/runtime';
import type { Kafka } from 'kafkajs';
import type { DataSource } from 'typeorm';
import type { LedgerIdentity } from '../ledger-identity.js';
import type { Cluster } from './cluster.js';
import { type Relayed, RelayLeases } from './relay-leases.js';
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

/** Looks without a reason come so seldom: every append is told, and every change of a cursor. */
const lookMs = 30_000;
/** The time that the holder of a lease has to take an event into hand, before others look whether it does. */
const othersMs = 700;
const longestWatchMs = 1_000;
const shortestWatchMs = 250;
/** A lease lapses at its moment; a look comes a little later. */
const lapsedMs = 10;
/** Appends that follow each other faster are looked for together. */
const gapMs = 10;

export class KafkaRelay {
  private readonly relays: TopicRelay[];
  private readonly leases: RelayLeases;
  private readonly loop: WorkLoop;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private isStopping = false;
  /** Looks after the topics that another process relays. */
  private watching: { timer: NodeJS.Timeout; at: number } | undefined;
  private isWatchDue = true;
  /** How many topics this process relayed when it was told last. */
  private held = 0;
  private watchedAt = Number.NEGATIVE_INFINITY;
  private stopNotices: (() => Promise<void>) | undefined;
  private measuring: Promise<TopicLag[]> | undefined;

  constructor(private readonly options: KafkaRelayOptions) {
    const { metrics, clock, dataSource, holder, log } = options;
    this.leases = new RelayLeases(dataSource, holder, () => this.wakeRelays());
    const { leases } = this;
    const cut = metrics.counter({
      name: 'strongroom_relay_set_aside_total',
      help: 'Events that Kafka did not take as they are, by topic. They were sent without their value, or not at all; they are in the ledger.',
      labels: ['topic'],
    });
    const setAside = (topic: string) => cut.inc({ topic });
    this.relays = aggregates.map((aggregate) => {
      const relay: TopicRelay = new TopicRelay({
        ...options,
        ...{ leases, aggregate, setAside },
        kafka: (ms) => options.kafka(ms),
        claim: (source) => this.claim(source, [relay]),
      });
      return relay;
    });
    this.loop = new WorkLoop({
      name: 'relay',
      intervalMs: lookMs,
      longestBackOffMs: 3_000,
      log,
      pass: () => this.look(),
    });
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
    this.loop.start();
    this.stopNotices = await this.options.ledger.onAppend(() => this.hear());
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.stopNotices?.();
    await this.loop.stop();
    clearTimeout(this.watching?.timer);
    await Promise.all(this.relays.map((relay) => relay.stop()));
    const hasHeld = this.own().length > 0;
    await this.leases.giveBack();
    this.leases.stop();
    // Another process takes the leases before the next event comes.
    if (hasHeld) await wakeReaders(this.options.dataSource.manager).catch(() => {});
  }

  /** Events were appended, or the place of a cursor has changed. */
  private hear(): void {
    const own = this.own().length;
    if (own > 0) this.loop.wake();
    if (own < this.relays.length) this.watchIn(othersMs);
  }

  private own(): TopicRelay[] {
    return this.relays.filter(({ topic }) => this.leases.heldOf(topic));
  }

  private async look(): Promise<void> {
    const sinceMs = performance.now() - this.lookedAt;
    if (sinceMs < gapMs) await delay(gapMs - sinceMs);
    this.lookedAt = performance.now();
    const source = await this.options.cluster.source();
    if (this.own().length > 0) await this.leases.news();
    if (!this.isWatchDue && performance.now() - this.watchedAt < lookMs / 2) return;
    this.isWatchDue = false;
    this.watchedAt = performance.now();
    // One that fails asks by itself after its pause, so that another process may try first.
    const others = this.relays.filter(({ topic, isFailing }) => !isFailing && !this.leases.heldOf(topic));
    if (others.length > 0) await this.claim(source, others);
  }

  /** Takes the leases that are free and whose events wait, or that were given back; and looks again after those whose events wait. */
  private async claim(source: string, others: readonly Relayed[]): Promise<void> {
    const found = await this.leases.watch(source, others);
    const free = found.filter(({ heldForMs, isVacant, isBehind }) => heldForMs <= 0 && (isVacant || isBehind));
    const wanted = others.filter(({ topic }) => free.some((each) => each.topic === topic));
    if (wanted.length > 0) await this.leases.take(source, wanted);
    const waits = found
      .filter(({ topic, isBehind }) => isBehind && !this.leases.heldOf(topic))
      .map(({ heldForMs }) => (heldForMs > 0 ? Math.min(heldForMs + lapsedMs, longestWatchMs) : shortestWatchMs));
    if (waits.length > 0) this.watchIn(Math.min(...waits));
  }

  private watchIn(ms: number): void {
    if (this.isStopping) return;
    const at = performance.now() + ms;
    if (this.watching && this.watching.at <= at) return;
    clearTimeout(this.watching?.timer);
    const timer = setTimeout(() => {
      this.watching = undefined;
      this.isWatchDue = true;
      this.loop.wake();
    }, ms);
    this.watching = { timer, at };
  }

  private wakeRelays(): void {
    const held = this.own().length;
    // Whoever has taken a lease may die with it before it has sent what waits.
    if (held < this.held) this.watchIn(othersMs);
    this.held = held;
    for (const relay of this.relays) relay.wakeForNews();
  }

  /** Counts once for both gauges, which are read at the same time. */
  private lags(): Promise<TopicLag[]> {
    this.measuring ??= Promise.all(this.relays.map((relay) => relay.lag())).finally(() => {
      this.measuring = undefined;
    });
    return this.measuring;
  }
}

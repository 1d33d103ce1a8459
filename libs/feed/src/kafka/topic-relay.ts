/**
 * Sends the events of one topic from the ledger to Kafka, those of a key in order. Only the process that holds the lease of the
 * cursor does it. While some events are sent, the next ones are read.
 *
 * When a relay dies or freezes, the next one sends the last events again, in order. Consumers recognise them by position. A
 * partition that takes nothing holds up only its own events.
 */
import { type Aggregate, topicName } from '@strongroom/contracts';
import type { EventText, Ledger } from '@strongroom/ledger';
import { inSpan, type Logger, WorkLoop } from '@strongroom/runtime';
import type { Kafka } from 'kafkajs';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { beginAnew } from '../feed-offsets.js';
import type { LedgerIdentity } from '../ledger-identity.js';
import { cloudEventOf } from './cloud-event.js';
import type { Cluster } from './cluster.js';
import { isTimeout } from './kafka-errors.js';
import type { Reached } from './relay-cursor.js';
import { RelayFault } from './relay-fault.js';
import type { Held, RelayLeases } from './relay-leases.js';
import { RelayPass } from './relay-pass.js';
import { type Placed, type Sent, TopicSender } from './topic-sender.js';

export interface TopicRelayOptions {
  /** A client whose requests may take this long, in milliseconds. */
  kafka(requestTimeoutMs: number): Kafka;
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  aggregate: Aggregate;
  namespace: string;
  leases: RelayLeases;
  cluster: Cluster;
  identity: LedgerIdentity;
  /** Takes the lease of the topic when nobody sends its events. */
  claim(source: string): Promise<void>;
  /** Counts an event that was sent without its value, or in no form. */
  setAside(topic: string): void;
}

/** What is still to be sent to a topic. */
export interface TopicLag {
  topic: string;
  events: number;
  /** The time of the oldest event that waits. */
  oldestAt: Date | null;
}

/** Nothing is found by looking without reason: whoever knows of events, or of an end of a pause, wakes the relay. */
const lookMs = 60_000;
const mostEvents = 500;
/** A pass sends so many events that it takes no longer than this, because what it has sent counts only when it ends. */
const passMs = 5_000;
/** It does not send fewer for that: an answer may be late for other reasons than the size of what it answers. */
const leastPaced = 100;
const lossIsSureMs = 10_000;
const heldPauseMs = 3_000;
const shortestTimeoutMs = 15_000;
const longestTimeoutMs = 600_000;

const cursors = z.array(z.object({ position: z.coerce.number() }));

export class TopicRelay {
  readonly topic: string;
  private readonly loop: WorkLoop;
  private sender: TopicSender | undefined;
  private seemsLostSince: number | undefined;
  private source: string | undefined;
  private events = mostEvents;
  private requestTimeoutMs = shortestTimeoutMs;
  /** The partitions that take nothing, and when each is tried again. */
  private readonly held = new Map<number, number>();
  private isTold = false;
  /** What was held at the last pass. */
  private heldBefore: Held | undefined;
  /** The events that were asked for while others are sent. */
  private ahead: { after: number; limit: number; texts: Promise<EventText[]> } | undefined;
  /** Tries partitions again that took nothing. */
  private tryAgain: NodeJS.Timeout | undefined;

  constructor(private readonly options: TopicRelayOptions) {
    this.topic = topicName(options.aggregate, options.namespace);
    this.loop = new WorkLoop({
      name: `relay of ${this.topic}`,
      intervalMs: lookMs,
      longestBackOffMs: 3_000,
      log: options.log,
      pass: () => this.pass(),
    });
  }

  start(): void {
    this.loop.start();
  }

  /** Whether the last try failed. The relay tries again by itself. */
  get isFailing(): boolean {
    return this.loop.failing;
  }

  get aggregate(): Aggregate {
    return this.options.aggregate;
  }

  /** Sends what is new, when this process has the lease, and ends its connection when another one has it. */
  wakeForNews(): void {
    const held = this.options.leases.heldOf(this.topic);
    if (held ? held.reached.position < held.newest : this.sender !== undefined) this.loop.wake();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    clearTimeout(this.tryAgain);
    await this.dropSender();
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
    const { cluster, leases, log } = this.options;
    const { topic } = this;
    const source = await cluster.source();
    this.source = source;
    clearTimeout(this.tryAgain);
    if (this.isFailing && !leases.heldOf(topic)) await this.options.claim(source);
    const held = leases.heldOf(topic);
    // What a connection knows of the ends of partitions is old when another process has sent since.
    if (held !== this.heldBefore) await this.dropSender();
    this.heldBefore = held;
    if (!held) return 'done';
    try {
      leases.need(topic, true);
      const next = await this.relay(source, held);
      if (next === 'done') this.rest();
      return next;
    } catch (error) {
      this.ahead = undefined;
      if (error instanceof RelayFault && error.code === 'lease-lost') {
        if (leases.heldOf(topic)) return 'again';
        log.warn({ topic }, 'another process relays now: this one did not renew its lease in time');
        await this.dropSender();
        return 'done';
      }
      await this.beginAnew();
      // Another process may reach the broker, or have a clock that the broker believes.
      await leases.giveBack([topic]);
      throw error;
    }
  }

  /** Lets the lease lapse, or waits for the time when a partition that takes nothing is tried again. */
  private rest(): void {
    if (this.held.size === 0) {
      this.options.leases.need(this.topic, false);
      return;
    }
    const inMs = Math.max(0, Math.min(...this.held.values()) - performance.now());
    this.tryAgain = setTimeout(() => this.loop.wake(), inMs + 1);
  }

  private async relay(source: string, held: Held): Promise<'again' | 'done'> {
    const { leases } = this.options;
    const { reached } = held;
    const begun = performance.now();
    const isDue = (partition: number) => (this.held.get(partition) ?? 0) <= begun;
    const known = reached.partitions ?? this.sender?.partitions;
    const spreadOver = known ?? (await this.connected()).partitions;
    const pass = new RelayPass(reached, spreadOver, isDue);
    if (!pass.isCatchingUp && pass.from >= held.newest) return 'done';
    const rows = await this.next(pass.from);
    const last = rows.at(-1);
    if (!last) {
      if (!pass.isCatchingUp) return 'done';
      leases.move(this.topic, held, { ...reached, ...pass.after(undefined, new Map()), partitions: spreadOver });
      return 'again';
    }
    const sender = await this.connected();
    if (this.hasLost(sender, reached)) return this.refill(source);
    this.tellAdded(sender, spreadOver);
    const name = await this.options.identity.current();
    const placed = rows
      .map((row): Placed => {
        const message = cloudEventOf(row, name);
        return { position: row.position, partition: sender.partitionOf(message, spreadOver), message };
      })
      .filter(({ partition, position }) => pass.sends(partition, position));
    if (rows.length === this.events && this.held.size === 0) this.readAhead(last.position);
    const sendingAt = performance.now();
    const places = rows.map(({ traceparent }) => traceparent ?? undefined);
    const span = {
      name: `publish ${this.topic}`,
      kind: 'producer',
      attributes: { 'strongroom.events': placed.length },
    } as const;
    const sent = await inSpan(places, span, () => this.sendInTime(sender, placed, held));
    const tookMs = performance.now() - sendingAt;
    // The broker has given an offset for the second time, so the first message is lost.
    if ([...sent.taken].some(([partition, { begin }]) => begin < (reached.ends.get(partition) ?? 0n))) {
      return this.refill(source);
    }
    this.tellSetAside(sent);
    const { error, firstUnsent, taken } = sent;
    if (error instanceof RelayFault && error.code === 'lease-lost') throw error;
    if (error !== undefined) this.slower(error);
    if (firstUnsent.size === spreadOver) throw error;
    const ends = new Map([...reached.ends, ...[...taken].map(([partition, { end }]) => [partition, end] as const)]);
    leases.move(this.topic, held, { ...pass.after(last.position, firstUnsent), ends, partitions: spreadOver });
    this.hold(placed, sent, tookMs);
    if (error === undefined) this.pace(tookMs);
    else await this.beginAnew();
    return 'again';
  }

  /** The events after a position. Usually they were read already. */
  private next(after: number): Promise<EventText[]> {
    const { ahead, events } = this;
    this.ahead = undefined;
    if (ahead?.after === after && ahead.limit === events) return ahead.texts;
    return this.options.ledger.textsAfter(this.options.aggregate, after, events);
  }

  private readAhead(after: number): void {
    const texts = this.options.ledger.textsAfter(this.options.aggregate, after, this.events);
    // Whoever takes them hears of a failure; it may be that nobody does.
    texts.catch(() => {});
    this.ahead = { after, limit: this.events, texts };
  }

  /** Remembers which partitions took nothing. They are tried again after a pause, which is longer than the try was. */
  private hold(placed: readonly Placed[], { firstUnsent, error }: Sent, tookMs: number): void {
    const { topic } = this;
    for (const partition of new Set(placed.map((each) => each.partition))) {
      const wasHeld = this.held.has(partition);
      if (firstUnsent.has(partition)) {
        this.held.set(partition, performance.now() + Math.max(heldPauseMs, 2 * tookMs));
        if (wasHeld) continue;
        const words = 'a partition takes no events now: its events wait, and those of the others go on';
        this.options.log.warn({ err: error, topic, partition }, words);
      } else if (wasHeld) {
        this.held.delete(partition);
        this.options.log.info({ topic, partition }, 'the partition takes events again');
      }
    }
  }

  private tellAdded({ partitions }: TopicSender, spreadOver: number): void {
    if (partitions <= spreadOver || this.isTold) return;
    this.isTold = true;
    const { topic } = this;
    this.options.log.warn({ topic, partitions, spreadOver }, 'added partitions stay empty, so that keys keep theirs');
  }

  /** Sends, and waits for the broker's answers for a while. @throws {RelayFault} when they take too long */
  private async sendInTime(sender: TopicSender, placed: readonly Placed[], held: Held): Promise<Sent> {
    const { leases } = this.options;
    let deadline: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      const fault = new RelayFault('broker-too-slow', `${this.topic}: the broker gave no answer for too long`);
      deadline = setTimeout(() => reject(fault), 8 * this.requestTimeoutMs);
    });
    try {
      return await Promise.race([sender.send(placed, () => leases.hold(this.topic, held)), tooLate]);
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Sends as many events at a time as the broker takes in good time. */
  private pace(tookMs: number): void {
    const { events } = this;
    if (tookMs > passMs) this.events = Math.max(Math.min(events, leastPaced), Math.floor((events * passMs) / tookMs));
    else if (tookMs < passMs / 3) this.events = Math.min(mostEvents, events * 2);
    if (this.events === mostEvents) this.requestTimeoutMs = shortestTimeoutMs;
  }

  /** After a request without an answer: fewer events at a time, and then more time for one. */
  private slower(error: unknown): void {
    if (!isTimeout(error) && !(error instanceof RelayFault && error.code === 'broker-too-slow')) return;
    if (this.events > 1) this.events = Math.max(1, Math.floor(this.events / 8));
    else this.requestTimeoutMs = Math.min(2 * this.requestTimeoutMs, longestTimeoutMs);
  }

  private tellSetAside({ cut, refused }: Sent): void {
    const tell = ({ position, message }: Placed, words: string) => {
      this.options.setAside(this.topic);
      this.options.log.error({ topic: this.topic, position, eventId: message.headers.ce_id }, words);
    };
    for (const each of cut) tell(each, 'event sent without its value: it is larger than the broker takes');
    for (const each of refused) tell(each, 'event not sent: the broker takes it in no form; it is in the ledger');
  }

  /**
   * Replaces the producer: one that does not know what arrived must not go on with its sequence numbers, nor with another
   * cluster.
   */
  private async beginAnew(): Promise<void> {
    await this.dropSender();
    this.options.cluster.forget();
  }

  /**
   * Whether a partition ends before what it has acknowledged, after an unclean election or the loss of a disk, or is gone. A
   * new leader tells an older end for a moment, so the end is looked at again for a while.
   * @throws {RelayFault} while the end may still be an older one
   */
  private hasLost(sender: TopicSender, { ends, partitions = 0 }: Reached): boolean {
    const lost =
      sender.partitions < partitions || [...sender.ends].some(([partition, end]) => end < (ends.get(partition) ?? 0n));
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
    this.ahead = undefined;
    this.held.clear();
    await this.dropSender();
    this.options.log.warn({ topic: this.topic }, 'the broker has lost what it acknowledged: the topic is filled anew');
    await this.options.leases.renew();
    return 'again';
  }

  private async connected(): Promise<TopicSender> {
    this.sender ??= await TopicSender.connect(this.options.kafka(this.requestTimeoutMs), this.topic);
    return this.sender;
  }

  private async dropSender(): Promise<void> {
    const { sender } = this;
    this.sender = undefined;
    this.ahead = undefined;
    await sender?.disconnect().catch(() => {});
  }
}

/**
 * The leases of a process's relays, and where their cursors are. One statement takes or prolongs all leases and moves all cursors.
 * It is made when a relay has something to do, and then by a clock, whatever the relays do meanwhile: a slow broker takes no lease
 * away, and a process that freezes loses its leases soon. A lease lapses when nothing is to be sent. Nothing is sent without one.
 */
import type { Aggregate } from '@strongroom/contracts';
import type { DataSource } from 'typeorm';
import {
  giveBack,
  type Leased,
  lease,
  newestOf,
  type Reached,
  type Seen,
  type Watched,
  watch,
} from './relay-cursor.js';
import { RelayFault } from './relay-fault.js';

/** Other subscribers of Kafka wait so long for a relay that froze, and for the next one to connect. */
const leaseMs = 1_300;
const renewMs = 250;
/** A cursor moves so often at most. What was sent since is sent again when the process is killed. */
const moveMs = 100;

/** What a relay has of its topic, from when the lease was taken until it is lost. */
export interface Held {
  reached: Reached;
  /** The position of the newest event of the topic, as far as is known. */
  newest: number;
}

/** A topic that is relayed, with the kind of its events. */
export interface Relayed {
  topic: string;
  aggregate: Aggregate;
}

interface Kept extends Relayed {
  held: Held;
  seen: Seen;
  /** How long the lease holds at least, in the time of `performance.now()`. */
  until: number;
  /** Whether the cursor in the database is behind. */
  isMoved: boolean;
  /** Whether the relay has something to do, so that the lease may not lapse. */
  isNeeded: boolean;
}

export class RelayLeases {
  private readonly kept = new Map<string, Kept>();
  private source: string | undefined;
  private ticking: NodeJS.Timeout | undefined;
  private moving: NodeJS.Timeout | undefined;
  private asking: { answer: Promise<void>; at: number } | undefined;
  /** What is asked for when the statement in hand has its answer. */
  private next: Promise<void> | undefined;
  private askedAt = Number.NEGATIVE_INFINITY;
  private tickedAt = performance.now();
  private waitsUntil = 0;

  /**
   * @param holder who holds the leases; it is unique to the process
   * @param told called when something may have changed in what is held
   */
  constructor(
    private readonly dataSource: DataSource,
    private readonly holder: string,
    private readonly told: () => void = () => {},
  ) {}

  start(): void {
    this.tickedAt = performance.now();
    this.ticking ??= setInterval(() => {
      this.tickedAt = performance.now();
      // An outage of the database lets the leases lapse.
      if (this.isRenewalDue()) void this.renew().catch(() => {});
    }, renewMs);
  }

  stop(): void {
    clearInterval(this.ticking);
    clearTimeout(this.moving);
  }

  /** What is held of a topic; undefined when another process relays it, or nobody. */
  heldOf(topic: string): Held | undefined {
    return this.kept.get(topic)?.held;
  }

  /** Looks at topics that are not held here, without taking one. */
  watch(source: string, topics: readonly Relayed[]): Promise<Watched[]> {
    return watch(this.dataSource, source, topics, leaseMs);
  }

  /** Takes the leases of topics that nobody else holds. A process that had no turn lately takes none. */
  async take(source: string, topics: readonly Relayed[]): Promise<void> {
    while (this.isAsking()) await this.asking?.answer.catch(() => {});
    if (source !== this.source) this.kept.clear();
    this.source = source;
    if (this.isLate()) return;
    await this.ask(topics.filter(({ topic }) => !this.kept.has(topic)));
  }

  /** Prolongs the leases that are held, moves their cursors, and asks what is new. */
  renew(): Promise<void> {
    const inHand = this.asking;
    if (!inHand || !this.isAsking()) return this.ask([]);
    this.next ??= inHand.answer
      .catch(() => {})
      .then(() => {
        this.next = undefined;
        return this.renew();
      });
    return this.next;
  }

  /** Asks what is new, since events were appended. Many appends cost one change of the leases in a while. */
  async news(): Promise<void> {
    if (performance.now() - this.askedAt >= moveMs) return this.renew();
    this.renewSoon();
    const own = [...this.kept.values()];
    const newest = await newestOf(
      this.dataSource,
      own.map(({ aggregate }) => aggregate),
    );
    for (const { aggregate, held } of own) held.newest = Math.max(held.newest, newest.get(aggregate) ?? 0);
    this.told();
  }

  /** Keeps the lease of a topic from lapsing, or lets it lapse. */
  need(topic: string, isNeeded: boolean): void {
    const kept = this.kept.get(topic);
    if (kept) kept.isNeeded = isNeeded;
  }

  /** Returns while the lease holds. One that may have lapsed is asked for first. @throws {RelayFault} when it is another one's */
  async hold(topic: string, held: Held): Promise<void> {
    if (!this.isHeld(topic, held)) await this.renew();
    if (!this.isHeld(topic, held)) throw new RelayFault('lease-lost', `another process relays ${topic}`);
  }

  /** Moves a cursor. The database hears of it soon. @throws {RelayFault} when the topic is not held any more as it was */
  move(topic: string, held: Held, reached: Reached): void {
    const kept = this.kept.get(topic);
    if (kept?.held !== held)
      throw new RelayFault('lease-lost', `another process relays ${topic}, or it is filled anew`);
    held.reached = reached;
    kept.isMoved = true;
    this.renewSoon();
  }

  /** Ends leases, so that the next relay need not wait until they lapse. Default: all */
  async giveBack(topics: readonly string[] = [...this.kept.keys()]): Promise<void> {
    const { source } = this;
    const own = topics.filter((topic) => this.kept.has(topic));
    if (source === undefined || own.length === 0) return;
    if (own.some((topic) => this.kept.get(topic)?.isMoved)) await this.renew().catch(() => {});
    // Its answer would take them again.
    while (this.isAsking()) await this.asking?.answer.catch(() => {});
    for (const topic of own) this.kept.delete(topic);
    await giveBack(this.dataSource, { source, holder: this.holder }, own).catch(() => {});
  }

  /** A process that had no turn itself cannot tell a frozen relay from a slow machine. It gives that relay the time to renew its lease. */
  private isLate(): boolean {
    if (this.ticking === undefined) return false;
    const now = performance.now();
    if (now - this.tickedAt > 3 * renewMs) this.waitsUntil = now + 2 * renewMs;
    return now < this.waitsUntil;
  }

  private isHeld(topic: string, held: Held): boolean {
    const kept = this.kept.get(topic);
    return kept?.held === held && performance.now() < kept.until;
  }

  /** A connection that hangs does not keep the next statement from another one. */
  private isAsking(): boolean {
    return this.asking !== undefined && performance.now() - this.asking.at < leaseMs / 2;
  }

  private renewSoon(): void {
    const inMs = Math.max(0, moveMs - (performance.now() - this.askedAt));
    this.moving ??= setTimeout(() => {
      this.moving = undefined;
      void this.renew().catch(() => {});
    }, inMs);
  }

  private isRenewalDue(): boolean {
    if (performance.now() - this.askedAt < renewMs / 2) return false;
    return [...this.kept.values()].some(({ isNeeded, isMoved }) => isNeeded || isMoved);
  }

  private ask(more: readonly Relayed[]): Promise<void> {
    const asking = { at: performance.now(), answer: this.asked(more) };
    this.asking = asking;
    this.askedAt = asking.at;
    return asking.answer.finally(() => {
      if (this.asking === asking) this.asking = undefined;
    });
  }

  private async asked(more: readonly Relayed[]): Promise<void> {
    const { source, holder } = this;
    const own = [...this.kept.values()];
    if (source === undefined || own.length + more.length === 0) return;
    const askedAt = performance.now();
    const moves = new Map(own.filter(({ isMoved }) => isMoved).map(({ topic, held }) => [topic, held.reached]));
    const asked = [
      ...own.map(({ topic, aggregate, seen }) => ({ topic, aggregate, seen, to: moves.get(topic) })),
      ...more,
    ];
    const answers = await lease(this.dataSource, { source, holder }, asked, leaseMs);
    // A later statement has told more, or the cluster has changed.
    if (source !== this.source || askedAt < this.askedAt - leaseMs / 2) return;
    for (const { topic, aggregate } of asked) {
      this.heard({ topic, aggregate }, answers.get(topic), { until: askedAt + leaseMs, moved: moves.get(topic) });
    }
    this.told();
  }

  private heard(
    { topic, aggregate }: Relayed,
    answer: Leased | undefined,
    { until, moved }: { until: number; moved: Reached | undefined },
  ): void {
    if (!answer) {
      this.kept.delete(topic);
      return;
    }
    const { reached, seen, isSame, newest } = answer;
    const kept = this.kept.get(topic);
    // Somebody else has relayed the topic meanwhile, or it is filled anew: what was known of it is worth nothing.
    if (!kept || !isSame) {
      const held = { reached, newest };
      this.kept.set(topic, { topic, aggregate, held, seen, until, isMoved: false, isNeeded: kept?.isNeeded ?? false });
      return;
    }
    kept.seen = seen;
    kept.until = Math.max(kept.until, until);
    kept.held.newest = newest;
    if (kept.held.reached === moved) kept.isMoved = false;
  }
}

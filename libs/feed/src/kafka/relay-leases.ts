/**
 * The leases of a process's relays. A clock of their own renews all of them with one statement, whatever the relays do meanwhile:
 * a slow broker takes no lease away, and a process that freezes loses its leases soon. Nothing is sent without a lease.
 */
import type { DataSource } from 'typeorm';
import { type CursorKey, giveBack, lease, type Reached, renew } from './relay-cursor.js';
import { RelayFault } from './relay-fault.js';

/** Other subscribers of Kafka wait so long for a relay that froze, and for the next one to connect. */
const leaseMs = 1_300;
const renewMs = 250;

export class RelayLeases {
  /** By topic, how long the lease holds at least, in the time of `performance.now()`. */
  private readonly heldUntil = new Map<string, number>();
  private renewing: NodeJS.Timeout | undefined;
  private askedAt: number | undefined;
  private tickedAt = performance.now();
  private waitsUntil = 0;

  /** @param holder who holds the leases; it is unique to the process */
  constructor(
    private readonly dataSource: DataSource,
    private readonly holder: string,
  ) {}

  start(): void {
    // An outage of the database lets the leases lapse.
    this.tickedAt = performance.now();
    this.renewing ??= setInterval(() => {
      this.tickedAt = performance.now();
      void this.renewSoon().catch(() => {});
    }, renewMs);
  }

  stop(): void {
    clearInterval(this.renewing);
  }

  key(source: string, topic: string): CursorKey {
    return { source, topic, holder: this.holder };
  }

  /** Takes or prolongs a lease. @returns how long it is another process's, in milliseconds, when it is */
  async take(source: string, topic: string): Promise<Reached | { othersForMs: number }> {
    if (!this.heldUntil.has(topic) && this.isLate()) return { othersForMs: renewMs };
    const askedAt = performance.now();
    const taken = await lease(this.dataSource, this.key(source, topic), leaseMs);
    if ('othersForMs' in taken) this.heldUntil.delete(topic);
    else this.heldUntil.set(topic, askedAt + leaseMs);
    return taken;
  }

  /** Returns while the lease holds. A process that was frozen asks for it first. @throws {RelayFault} when another has it */
  async hold(topic: string): Promise<void> {
    if (this.isHeld(topic)) return;
    await this.renew();
    if (!this.isHeld(topic)) throw new RelayFault('lease-lost', `another process relays ${topic}`);
  }

  /** Ends a lease, so that the next relay need not wait until it lapses. */
  async giveBack(source: string, topic: string): Promise<void> {
    this.heldUntil.delete(topic);
    await giveBack(this.dataSource, this.key(source, topic)).catch(() => {});
  }

  /**
   * A process that had no turn itself cannot tell a frozen relay from a slow machine. It gives that relay the time to renew its lease.
   */
  private isLate(): boolean {
    const now = performance.now();
    if (now - this.tickedAt > 3 * renewMs) this.waitsUntil = now + 2 * renewMs;
    return now < this.waitsUntil;
  }

  private isHeld(topic: string): boolean {
    return performance.now() < (this.heldUntil.get(topic) ?? 0);
  }

  /** A connection that hangs does not keep the next statement from another one. */
  private async renewSoon(): Promise<void> {
    const { askedAt } = this;
    if (askedAt !== undefined && performance.now() - askedAt < leaseMs / 2) return;
    await this.renew();
  }

  private async renew(): Promise<void> {
    const askedAt = performance.now();
    this.askedAt = askedAt;
    try {
      for (const topic of await renew(this.dataSource, this.holder, leaseMs)) {
        this.heldUntil.set(topic, Math.max(askedAt + leaseMs, this.heldUntil.get(topic) ?? 0));
      }
    } finally {
      if (this.askedAt === askedAt) this.askedAt = undefined;
    }
  }
}

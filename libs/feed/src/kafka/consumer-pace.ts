/**
 * How much a consumer asks the broker for at a time, and how long an answer may take. Heartbeats wait behind the answers of one
 * connection, so a large answer over a slow line costs the consumer its place in the group, and it would never get on. After an
 * answer that took too long the next one is smaller and gets more time.
 */
export class ConsumerPace {
  private bytes = mostBytes;
  private timeoutMs = shortestTimeoutMs;
  private slowAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly elapsedMs: () => number = () => performance.now()) {}

  /** The bytes of one answer. An answer has at least one message, whatever its size. */
  get fetchBytes(): number {
    this.recover();
    return this.bytes;
  }

  get requestTimeoutMs(): number {
    this.recover();
    return this.timeoutMs;
  }

  /** Whether an answer that took this long, in milliseconds, takes too long. */
  isSlow(tookMs: number): boolean {
    return tookMs > slowMs && this.bytes > leastBytes;
  }

  slower(): void {
    this.bytes = Math.max(leastBytes, Math.floor(this.bytes / 4));
    this.timeoutMs = Math.min(longestTimeoutMs, this.timeoutMs * 2);
    this.slowAt = this.elapsedMs();
  }

  private recover(): void {
    if (this.elapsedMs() - this.slowAt < recoverMs) return;
    this.bytes = mostBytes;
    this.timeoutMs = shortestTimeoutMs;
  }
}

const mostBytes = 262_144;
const leastBytes = 16_384;
const slowMs = 6_000;
const shortestTimeoutMs = 15_000;
const longestTimeoutMs = 600_000;
const recoverMs = 1_800_000;

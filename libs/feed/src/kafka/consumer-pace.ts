/**
 * How much a consumer asks the broker for at a time, and how long an answer may take. Heartbeats wait behind the answers of one
 * connection, so a large answer over a slow line costs the consumer its place in the group, and it would never get on. An answer
 * has at least one batch as it was sent, so small answers alone don't help. After an answer that took too long the next one is
 * smaller and gets more time.
 */
export class ConsumerPace {
  private turns = 0;
  private slowAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly elapsedMs: () => number = () => performance.now()) {}

  /** What one consumer works with from its connection to its end. */
  get settings(): { fetchBytes: number; requestTimeoutMs: number; sessionTimeoutMs: number } {
    if (this.elapsedMs() - this.slowAt > recoverMs) this.turns = 0;
    const factor = 2 ** this.turns;
    return {
      fetchBytes: Math.max(leastBytes, Math.floor(mostBytes / factor ** 2)),
      requestTimeoutMs: shortestTimeoutMs * factor,
      sessionTimeoutMs: shortestSessionMs * factor,
    };
  }

  /** Whether an answer that took this long, in milliseconds, endangers the place in the group. */
  isSlow(tookMs: number): boolean {
    return this.turns < mostTurns && tookMs > 0.6 * this.settings.sessionTimeoutMs;
  }

  slower(): void {
    this.turns = Math.min(mostTurns, this.turns + 1);
    this.slowAt = this.elapsedMs();
  }
}

const mostBytes = 262_144;
const leastBytes = 16_384;
const shortestTimeoutMs = 15_000;
const shortestSessionMs = 10_000;
/** A session of more than five minutes is of no use. */
const mostTurns = 5;
const recoverMs = 1_800_000;

/**
 * Asks a store for less when it says that it is asked for too much, and for more again as it keeps up. All requests of the process to
 * the store are under it. Nothing is limited before the first such answer, and no more once the store has kept up for long.
 *
 * The number of requests at a time is halved by a busy answer, and grows by one for each round of answers that were none: additive
 * increase and multiplicative decrease, as in RFC 5681, which ends in equal parts for all who share a store without knowing of each other.
 */

export interface StorePaceParts {
  /** The store has answered that it is busy. */
  onBusy?: () => void;
  /** A request has waited for so long, in milliseconds. */
  onWaited?: (ms: number) => void;
}

/** A request that was let through. It is ended once. */
export interface Turn {
  /** The store has answered, or nothing is known of how busy it is. */
  end(): void;
  /**
   * The store has answered that it is asked for too much.
   * @param restMs how long it is left alone, by everybody
   */
  endBusy(restMs: number): void;
}

/** So many at a time are no limit any more. */
const mostAtOnce = 64;

interface Waiting {
  since: number;
  begin(): void;
}

export class StorePace {
  private running = 0;
  /** How many requests may run at a time. It is a fraction, so that it can grow by little. */
  private most = Number.POSITIVE_INFINITY;
  private restsUntil = Number.NEGATIVE_INFINITY;
  /** How often the limit was halved. What began earlier says nothing of the limit that counts now. */
  private halvings = 0;
  private readonly waiting = new Set<Waiting>();
  private resting: NodeJS.Timeout | undefined;

  constructor(private readonly parts: StorePaceParts = {}) {}

  /** How many requests may run at a time; undefined when there is no limit. */
  get limit(): number | undefined {
    return Number.isFinite(this.most) ? Math.max(1, Math.floor(this.most)) : undefined;
  }

  /**
   * Waits until a request may be made.
   * @throws the signal's reason, as soon as it is aborted
   */
  async turn(signal: AbortSignal): Promise<Turn> {
    signal.throwIfAborted();
    if (this.waiting.size === 0 && this.isFree) return this.begun();
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.waiting.delete(one);
        if (this.waiting.size === 0) clearTimeout(this.resting);
        signal.removeEventListener('abort', abort);
        this.parts.onWaited?.(performance.now() - one.since);
      };
      const abort = () => {
        leave();
        reject(signal.reason);
      };
      const one: Waiting = {
        since: performance.now(),
        begin: () => {
          leave();
          resolve(this.begun());
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.waiting.add(one);
      this.letIn();
    });
  }

  private get isFree(): boolean {
    return performance.now() >= this.restsUntil && this.running < (this.limit ?? Number.POSITIVE_INFINITY);
  }

  private begun(): Turn {
    this.running += 1;
    const { halvings } = this;
    return {
      end: () => {
        this.running -= 1;
        this.grow();
        this.letIn();
      },
      endBusy: (restMs) => {
        this.parts.onBusy?.();
        // The others of a crowd are answered as it is, and each would halve the limit again.
        if (halvings === this.halvings) this.halve();
        this.running -= 1;
        this.restsUntil = Math.max(this.restsUntil, performance.now() + restMs);
        this.letIn();
      },
    };
  }

  private grow(): void {
    if (!Number.isFinite(this.most)) return;
    this.most += 1 / this.most;
    if (this.most > mostAtOnce) this.most = Number.POSITIVE_INFINITY;
  }

  private halve(): void {
    this.most = Math.max(1, Math.min(this.most, this.running) / 2);
    this.halvings += 1;
  }

  /** Lets in who has waited longest. */
  private letIn(): void {
    const now = performance.now();
    if (now < this.restsUntil) {
      this.rest(this.restsUntil - now);
      return;
    }
    for (const one of this.waiting) {
      if (!this.isFree) return;
      one.begin();
    }
  }

  private rest(ms: number): void {
    if (this.waiting.size === 0) return;
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.letIn(), ms);
  }
}

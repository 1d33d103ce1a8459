/**
 * Lets so many bytes a second pass, whoever brings them. Those who wait are given equal parts, so a transfer with large chunks gets
 * no more than one with small ones. The limit may change at any time, and its memory does not grow with what passes.
 */

/** Bytes that may pass, in so many milliseconds from now. */
export interface Grant {
  bytes: number;
  inMs: number;
}

/** Gives out the bytes of a limit. Several buckets may share one. */
export interface Budget {
  /** @param bytes how many are asked for; @param bytesPerSecond the limit */
  ask(bytes: number, bytesPerSecond: number): Grant | Promise<Grant>;
}

/** For so long a limit's bytes are given out at a time. It is how exact the limit is. */
const grantSeconds = 0.25;
/** So much of the past counts for somebody who asks late. */
const lateMs = 100;

/** A budget for this process alone. */
export class OwnBudget implements Budget {
  private takenUntil = Number.NEGATIVE_INFINITY;

  ask(bytes: number, bytesPerSecond: number): Grant {
    const now = performance.now();
    const from = Math.max(this.takenUntil, now - lateMs);
    this.takenUntil = from + (bytes / bytesPerSecond) * 1_000;
    return { bytes, inMs: Math.max(0, from - now) };
  }
}

interface Waiting {
  by: object;
  bytesLeft: number;
  pass: () => void;
}

export class TokenBucket {
  private bytesPerSecond: number | undefined;
  /** What each transfer was given and has not used. */
  private given = new WeakMap<object, number>();
  private readonly waiting = new Set<Waiting>();
  private isFilling = false;
  private endPause: (() => void) | undefined;

  constructor(private readonly budget: Budget = new OwnBudget()) {}

  get limit(): number | undefined {
    return this.bytesPerSecond;
  }

  /** @param bytesPerSecond undefined: no limit */
  setLimit(bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === this.bytesPerSecond) return;
    this.bytesPerSecond = bytesPerSecond;
    this.given = new WeakMap();
    if (bytesPerSecond === undefined) for (const each of [...this.waiting]) each.pass();
    this.endPause?.();
  }

  /**
   * Waits until the bytes may pass.
   * @param by the transfer that they are of
   * @returns undefined when they may pass at once
   * @throws the signal's reason, as soon as it is aborted
   */
  take(bytes: number, by: object, signal: AbortSignal): Promise<void> | undefined {
    if (this.bytesPerSecond === undefined) return undefined;
    const given = this.given.get(by) ?? 0;
    if (given >= bytes) {
      this.given.set(by, given - bytes);
      return undefined;
    }
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const one: Waiting = { by, bytesLeft: bytes, pass: () => done(resolve) };
      const abort = () => done(() => reject(signal.reason));
      const done = (how: () => void) => {
        this.waiting.delete(one);
        signal.removeEventListener('abort', abort);
        if (this.waiting.size === 0) this.endPause?.();
        how();
      };
      signal.addEventListener('abort', abort, { once: true });
      this.waiting.add(one);
      void this.fill();
    });
  }

  private async fill(): Promise<void> {
    if (this.isFilling) return;
    this.isFilling = true;
    while (this.waiting.size > 0 && this.bytesPerSecond !== undefined) {
      const limit = this.bytesPerSecond;
      const grant = await this.budget.ask(Math.ceil(limit * grantSeconds), limit);
      if (grant.inMs > 0) await this.pause(grant.inMs);
      // A limit that was changed meanwhile has a budget of its own.
      if (limit !== this.bytesPerSecond) continue;
      this.share(grant.bytes);
    }
    this.isFilling = false;
  }

  /** Each transfer that waits is given as much. What it does not need now, it needs no wait for later. */
  private share(bytes: number): void {
    const transfers = new Set([...this.waiting].map(({ by }) => by));
    for (const by of transfers) this.given.set(by, (this.given.get(by) ?? 0) + bytes / transfers.size);
    for (const one of [...this.waiting]) {
      const given = this.given.get(one.by) ?? 0;
      const used = Math.min(given, one.bytesLeft);
      this.given.set(one.by, given - used);
      one.bytesLeft -= used;
      if (one.bytesLeft < 1) one.pass();
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.endPause = undefined;
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.endPause = end;
    });
  }
}

/**
 * Work on things that is done for many of them at once, such as in one transaction. Whoever asks for a thing while it is worked on shares
 * the batch that begins next, so a result is never older than the request. No two batches work on one thing at a time.
 *
 * A batch that takes too long keeps nobody waiting: the next one begins beside it, perhaps on a connection that is not lost. When a batch
 * fails, its halves are tried, so that what makes it fail fails alone.
 */
interface Asked<Result> {
  outcome: Promise<Result>;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export interface BatchWork<Result> {
  /** How many keys a batch has at most. */
  mostKeys: number;
  /** How many batches go on at a time. */
  lanes: number;
  /** How long a batch keeps the next ones waiting, in milliseconds. */
  longestMs: number;
  /**
   * Does the work for all of the keys or for none, in their order. A key without a result is not done yet, and is worked on again. The first
   * of those has had its share: it comes after the others.
   */
  work(keys: readonly string[]): Promise<ReadonlyMap<string, Result>>;
  /** Whether each half of a batch would fail with the error as well. */
  isForAll(error: unknown): boolean;
}

/** So many keys are never divided among lanes. */
const fewKeys = 32;

export class SharedBatches<Result> {
  /** In the order in which they were asked for. */
  private readonly waiting = new Map<string, Asked<Result>>();
  private readonly begun = new Set<string>();
  private busyLanes = 0;
  private isToBegin = false;

  constructor(private readonly parts: BatchWork<Result>) {}

  /** Settles as the work on the key in a batch that begins after this call. */
  ask(key: string): Promise<Result> {
    const before = this.waiting.get(key);
    if (before) return before.outcome;
    const asked = newAsked<Result>();
    this.wait(key, asked);
    return asked.outcome;
  }

  private wait(key: string, asked: Asked<Result>): void {
    this.waiting.set(key, asked);
    if (this.isToBegin) return;
    this.isToBegin = true;
    // What is asked for in one go goes together.
    queueMicrotask(() => this.begin());
  }

  private begin(): void {
    this.isToBegin = false;
    while (this.busyLanes < this.parts.lanes) {
      const taken = this.take();
      if (taken.length === 0) return;
      void this.run(taken);
    }
  }

  private take(): [string, Asked<Result>][] {
    const free = [...this.waiting].filter(([key]) => !this.begun.has(key));
    const share = Math.max(fewKeys, Math.ceil(free.length / (this.parts.lanes - this.busyLanes)));
    const taken = free.slice(0, Math.min(share, this.parts.mostKeys));
    for (const [key] of taken) this.waiting.delete(key);
    return taken;
  }

  private async run(taken: readonly [string, Asked<Result>][]): Promise<void> {
    this.busyLanes += 1;
    for (const [key] of taken) this.begun.add(key);
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      this.busyLanes -= 1;
      for (const [key] of taken) this.begun.delete(key);
      this.begin();
    };
    const late = setTimeout(end, this.parts.longestMs);
    await this.settle(taken);
    clearTimeout(late);
    end();
  }

  private async settle(taken: readonly [string, Asked<Result>][]): Promise<void> {
    try {
      const results = await this.parts.work(taken.map(([key]) => key));
      for (const [key, asked] of taken) if (results.has(key)) asked.resolve(results.get(key) as Result);
      const [first, ...others] = taken.filter(([key]) => !results.has(key));
      for (const each of others) this.goOn(...each);
      if (first) this.goOn(...first);
    } catch (error) {
      if (taken.length === 1 || this.parts.isForAll(error)) {
        for (const [, asked] of taken) asked.reject(error);
        return;
      }
      const half = Math.ceil(taken.length / 2);
      await this.settle(taken.slice(0, half));
      await this.settle(taken.slice(half));
    }
  }

  /** Whoever has asked for the key meanwhile waits for the same. */
  private goOn(key: string, asked: Asked<Result>): void {
    const later = this.waiting.get(key);
    if (later) later.outcome.then(asked.resolve, asked.reject);
    else this.wait(key, asked);
  }
}

function newAsked<Result>(): Asked<Result> {
  let settle: Pick<Asked<Result>, 'resolve' | 'reject'> = { resolve: () => {}, reject: () => {} };
  const outcome = new Promise<Result>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { outcome, ...settle };
}

/** Lets a few tasks run at a time. The first failure ends the others, and nothing is under way any more when `done` returns or throws. */
export class InFlight {
  private readonly running = new Set<Promise<void>>();
  private readonly ending = new AbortController();
  private failure: { reason: unknown } | undefined;
  private readonly signal: AbortSignal;

  constructor(
    private readonly most: number,
    signal: AbortSignal,
  ) {
    this.signal = AbortSignal.any([signal, this.ending.signal]);
  }

  /** Begins a task as soon as there is room for it. @throws the reason of a task that has failed */
  async add(task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    while (this.running.size >= this.most) await Promise.race(this.running);
    this.throwIfFailed();
    const running: Promise<void> = task(this.signal)
      .catch((reason: unknown) => this.fail(reason))
      .finally(() => this.running.delete(running));
    this.running.add(running);
  }

  /** Waits for all tasks. @throws the reason of the first that has failed */
  async done(): Promise<void> {
    await Promise.all(this.running);
    this.throwIfFailed();
  }

  /** Ends what is under way, and waits for it. */
  async stop(reason: unknown): Promise<void> {
    this.fail(reason);
    await Promise.all(this.running);
  }

  private fail(reason: unknown): void {
    this.failure ??= { reason };
    this.ending.abort(reason);
  }

  private throwIfFailed(): void {
    if (this.failure) throw this.failure.reason;
  }
}

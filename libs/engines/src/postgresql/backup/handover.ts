/** An async iterable that is filled from outside: it keeps each item until the reader wants it, and ends or fails once. */
export class Handover<T> implements AsyncIterable<T> {
  private readonly waiting: T[] = [];
  private over: { error?: Error } | undefined;
  private wake: (() => void) | undefined;

  put(item: T): void {
    this.waiting.push(item);
    this.wake?.();
  }

  end(): void {
    this.over ??= {};
    this.wake?.();
  }

  /** Ends it with a failure. What still waits is not handed out any more. */
  fail(error: Error): void {
    this.over = { error };
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      if (this.over?.error) throw this.over.error;
      const item = this.waiting.shift();
      if (item !== undefined) yield item;
      else if (this.over) return;
      else {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        this.wake = undefined;
      }
    }
  }
}

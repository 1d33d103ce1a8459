/**
 * Work that goes on one run at a time for each key. Whoever asks while a run goes on shares the run that begins next, so a
 * result is never older than the request, and a process takes one connection for it, however many ask.
 *
 * A run that takes too long keeps nobody waiting: the next one begins beside it, perhaps on a connection that is not lost.
 */
import { endsWithin } from './ends-within.js';

export class SharedRuns<Result> {
  /** By key, the run that was asked for last. It begins after all others of its key. */
  private readonly last = new Map<string, Promise<unknown>>();
  /** By key, the run that has not begun yet and that others may share. */
  private readonly next = new Map<string, Promise<Result>>();

  /** @param longestWaitMs how long a run waits for the run before it, in milliseconds */
  constructor(private readonly longestWaitMs: number) {}

  /** Settles as a run of the key that begins after this call. All who share a run must ask for the same work. */
  share(key: string, work: () => Promise<Result>): Promise<Result> {
    const next = this.next.get(key);
    if (next !== undefined) return next;
    if (!this.last.has(key)) return this.alone(key, work);
    const begun = this.alone(key, () => {
      this.next.delete(key);
      return work();
    });
    this.next.set(key, begun);
    return begun;
  }

  /** Does work of which nobody else gets the result, after the runs of the key that were asked for before. */
  alone<Own>(key: string, work: () => Promise<Own>): Promise<Own> {
    const before = this.last.get(key);
    const run = before === undefined ? work() : this.ended(before).then(work);
    this.last.set(key, run);
    const forget = () => {
      if (this.last.get(key) === run) this.last.delete(key);
    };
    run.then(forget, forget);
    return run;
  }

  /** Resolves when a run has ended, or when it was waited for long enough. */
  private ended(run: Promise<unknown>): Promise<boolean> {
    const ended = run.catch(() => {});
    return endsWithin(ended, this.longestWaitMs);
  }
}

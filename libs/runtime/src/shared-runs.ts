/**
 * Work that goes on one run at a time for each key. Whoever asks while a run goes on shares the run that begins next, so a
 * result is never older than the request, and a process takes one connection for it, however many ask.
 */
export class SharedRuns {
  /** By key, the run that was asked for last. It ends after all others of its key. */
  private readonly last = new Map<string, Promise<void>>();
  /** By key, the run that has not begun yet and that others may share. */
  private readonly next = new Map<string, Promise<void>>();

  /** Resolves or rejects with a run of the key that begins after this call. All who share a run must ask for the same work. */
  share(key: string, work: () => Promise<void>): Promise<void> {
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

  /** Does work of which nobody else gets the result, while no other run of the key goes on. */
  alone(key: string, work: () => Promise<void>): Promise<void> {
    const run = this.last.get(key)?.then(work, work) ?? work();
    this.last.set(key, run);
    const ended = () => {
      if (this.last.get(key) === run) this.last.delete(key);
    };
    run.then(ended, ended);
    return run;
  }
}

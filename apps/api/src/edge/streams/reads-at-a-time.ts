/** Lets only so many reads run at a time; the others wait in order. So a thousand streams that begin at once leave connections to all else. */
export class ReadsAtATime {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async read<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever waits takes the place at once, so that nobody comes between.
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

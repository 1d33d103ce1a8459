/** Lets so many operations run at a time. The others wait for their turn, first come first served. */
export class FirstComeFirstServed {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async take<T>(perform: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((begin) => this.waiting.push(begin));
    try {
      return await perform();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

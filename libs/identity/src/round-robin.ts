/**
 * Work of which so much is done at a time, and which else waits. Those who ask take turns: whoever asks for much keeps the others waiting
 * for one piece of his. When too much waits, the last piece of whoever waits for most is given up.
 */

interface Waiting {
  begin(): void;
  giveUp(): void;
}

export class RoundRobin {
  private running = 0;
  private waitingNow = 0;
  /** In the order of their turns. */
  private readonly askers = new Map<string, Waiting[]>();

  constructor(private readonly limits: { atOnce: number; waiting: number }) {}

  /** @throws what `givenUp` gives, when it is given up */
  async run<T>(asker: string, work: () => Promise<T>, givenUp: () => Error): Promise<T> {
    if (this.running < this.limits.atOnce) this.running += 1;
    else await this.turnOf(asker, givenUp);
    try {
      return await work();
    } finally {
      this.next();
    }
  }

  private turnOf(asker: string, givenUp: () => Error): Promise<void> {
    return new Promise((resolve, reject) => {
      this.askers.set(asker, [...(this.askers.get(asker) ?? []), { begin: resolve, giveUp: () => reject(givenUp()) }]);
      this.waitingNow += 1;
      if (this.waitingNow > this.limits.waiting) this.giveOneUp();
    });
  }

  private next(): void {
    const [turn] = this.askers;
    if (!turn) {
      this.running -= 1;
      return;
    }
    const [asker, waiting] = turn;
    const first = waiting.shift();
    this.waitingNow -= 1;
    this.askers.delete(asker);
    if (waiting.length > 0) this.askers.set(asker, waiting);
    first?.begin();
  }

  private giveOneUp(): void {
    const [most] = [...this.askers].sort(([, a], [, b]) => b.length - a.length);
    if (!most) return;
    const [asker, waiting] = most;
    this.waitingNow -= 1;
    waiting.pop()?.giveUp();
    if (waiting.length === 0) this.askers.delete(asker);
  }
}

/**
 * Small work of many callers that shares statements. What is asked for in one turn of the process goes together. One statement runs at a
 * time, and the next one does everything that was asked for meanwhile. Each begins after all of it was asked for, so it sees every append that was committed before. A single caller waits for
 * nobody, and a statement whose connection is lost holds up the next one only for a moment.
 */
import { isOutage } from './ledger-fault.js';

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(fault: unknown): void;
}

/** A statement that takes longer has perhaps lost its connection. The next one begins beside it, perhaps on another. */
const longestWaitMs = 2_000;

export class SharedStatements<Item, Result> {
  private readonly queue: Waiting<Item, Result>[] = [];
  private busy = false;

  /**
   * @param most how many items one statement does at most, so that nobody waits long for others; one item is done in any case
   * @param doAll does several items, and gives their results in the same order. It is called again for a single item when it has
   *   failed for several, so a failure must have changed nothing
   * @param weightOf for how many an item counts. Default: 1
   */
  constructor(
    private readonly most: number,
    private readonly doAll: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly weightOf: (item: Item) => number = () => 1,
  ) {}

  do(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.queue.push({ item, resolve, reject });
      if (!this.busy) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.busy = true;
    while (this.queue.length > 0) {
      // Those who have just been answered together often ask for the next thing together.
      await endOfTurn();
      await endOf(this.doNext(this.queue.splice(0, this.countOfNext())));
    }
    this.busy = false;
  }

  private countOfNext(): number {
    let [count, weight] = [0, 0];
    for (const { item } of this.queue) {
      weight += this.weightOf(item);
      if (count > 0 && weight > this.most) break;
      count += 1;
    }
    return count;
  }

  /** An item that the database can't do fails alone: the others are done without it. */
  private async doNext(waiting: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.doAll(waiting.map(({ item }) => item));
      if (results.length !== waiting.length)
        throw new Error(`${waiting.length} were asked for, ${results.length} done`);
      for (const [index, { resolve }] of waiting.entries()) resolve(results[index] as Result);
    } catch (error) {
      if (waiting.length > 1 && !isOutage(error)) for (const each of waiting) await this.doNext([each]);
      else for (const { reject } of waiting) reject(error);
    }
  }
}

/** Resolves when everything is done that the process has at hand. */
export function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when the work has ended, or has taken too long. */
function endOf(work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, longestWaitMs).unref();
    void work.finally(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

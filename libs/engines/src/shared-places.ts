/**
 * Lets so many do something at a time. The others wait in the order in which they came. When there are several places, one of them is
 * never of an account that has all the others: what is slow keeps that of other accounts waiting for none of it.
 */
import { EngineFault } from './engine-fault.js';

interface Waiting {
  accountId: string;
  begin: () => void;
}

export class SharedPlaces {
  private waiting: Waiting[] = [];
  /** Whose the places are that are taken. */
  private readonly taken: string[] = [];

  constructor(private readonly most: number) {}

  /** @param signal ends the waiting @throws {EngineFault} `cancelled` when it is aborted before the turn came */
  async take<T>(accountId: string, signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
    await this.turn(accountId, signal);
    try {
      return await act();
    } finally {
      this.taken.splice(this.taken.indexOf(accountId), 1);
      this.next();
    }
  }

  private turn(accountId: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(cancelled());
      const stop = () => {
        this.waiting = this.waiting.filter((each) => each !== mine);
        reject(cancelled());
      };
      const begin = () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      const mine = { accountId, begin };
      signal?.addEventListener('abort', stop, { once: true });
      this.waiting.push(mine);
      this.next();
    });
  }

  private next(): void {
    const mine = this.waiting.find(({ accountId }) => this.mayTake(accountId));
    if (!mine) return;
    this.waiting = this.waiting.filter((each) => each !== mine);
    this.taken.push(mine.accountId);
    mine.begin();
    this.next();
  }

  private mayTake(accountId: string): boolean {
    const own = this.taken.filter((each) => each === accountId).length;
    return this.taken.length < this.most && (this.most === 1 || own < this.most - 1);
  }
}

function cancelled(): EngineFault {
  return new EngineFault('cancelled', 'It was cancelled before its turn came.');
}

/** Lets so many do something at a time. The others wait in the order in which they came. */
import { EngineFault } from './engine-fault.js';

export class Turns {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  /** @param signal ends the waiting @throws {EngineFault} `cancelled` when it is aborted before the turn came */
  async take<T>(signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
    await this.turn(signal);
    try {
      return await act();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }

  private turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(cancelled());
      if (this.free > 0) {
        this.free -= 1;
        return resolve();
      }
      const stop = () => {
        this.waiting.splice(this.waiting.indexOf(begin), 1);
        reject(cancelled());
      };
      const begin = () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      signal?.addEventListener('abort', stop, { once: true });
      this.waiting.push(begin);
    });
  }
}

function cancelled(): EngineFault {
  return new EngineFault('cancelled', 'It was cancelled before its turn came.');
}

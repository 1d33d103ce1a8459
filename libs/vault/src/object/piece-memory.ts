/**
 * Memory in which pieces are collected and sent: what one piece no longer needs is lent to the next one. New memory of this size for each
 * piece has V8 look through its whole heap, because it lies outside of the heap and counts with it. So it is kept beyond such looks, until no piece has
 * been sent for a while.
 */

/** What is smaller is not worth keeping. */
const leastKeptBytes = 1_048_576;
/** How long memory is kept that no piece needs, in milliseconds. */
export const keptMs = 10_000;

export class PieceMemories {
  private readonly free = new Map<number, Buffer[]>();
  private letGo: NodeJS.Timeout | undefined;

  /** @returns so many bytes, and a call that says that they are not needed any more; without it nobody else is ever lent them */
  take(bytes: number): { memory: Buffer; giveBack: () => void } {
    if (bytes < leastKeptBytes) return { memory: Buffer.allocUnsafeSlow(bytes), giveBack: () => {} };
    // Segments end where a frame ends, so no two of them are of one size.
    const size = 2 ** Math.ceil(Math.log2(bytes));
    const whole = this.free.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
    let isLent = true;
    const giveBack = () => {
      if (!isLent) return;
      isLent = false;
      this.keep(whole);
    };
    return { memory: whole.subarray(0, bytes), giveBack };
  }

  private keep(memory: Buffer): void {
    this.free.set(memory.length, [...(this.free.get(memory.length) ?? []), memory]);
    clearTimeout(this.letGo);
    this.letGo = setTimeout(() => this.free.clear(), keptMs).unref();
  }
}

/** That of all uploads of this process. */
export const pieceMemories = new PieceMemories();

/**
 * Memory in which pieces are collected and sent: what one piece no longer needs is lent to the next one. New memory of this size for each
 * piece has V8 look through its whole heap, because it lies outside of the heap and counts with it. What nobody has borrowed is
 * held weakly, so V8 takes it back when there are no more pieces.
 */

/** What is smaller is not worth keeping. */
const leastKeptBytes = 1_048_576;

export class PieceMemories {
  private readonly free = new Map<number, WeakRef<Buffer>[]>();

  /** @returns so many bytes, and a call that says that they are not needed any more; without it nobody else is ever lent them */
  take(bytes: number): { memory: Buffer; giveBack: () => void } {
    if (bytes < leastKeptBytes) return { memory: Buffer.allocUnsafeSlow(bytes), giveBack: () => {} };
    // Segments end where a frame ends, so no two of them are of one size.
    const size = 2 ** Math.ceil(Math.log2(bytes));
    const whole = this.keptOf(size) ?? Buffer.allocUnsafeSlow(size);
    let isLent = true;
    const giveBack = () => {
      if (!isLent) return;
      isLent = false;
      this.free.set(size, [...(this.free.get(size) ?? []).filter((each) => each.deref()), new WeakRef(whole)]);
    };
    return { memory: whole.subarray(0, bytes), giveBack };
  }

  private keptOf(size: number): Buffer | undefined {
    const kept = this.free.get(size) ?? [];
    for (let last = kept.pop(); last; last = kept.pop()) {
      const memory = last.deref();
      if (memory) return memory;
    }
    return undefined;
  }
}

/** That of all uploads of this process. */
export const pieceMemories = new PieceMemories();

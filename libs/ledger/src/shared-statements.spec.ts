import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, jest } from '@jest/globals';
import { LedgerFault } from './ledger-fault.js';
import { SharedStatements } from './shared-statements.js';

/** Doubles numbers, and keeps what was asked together. A statement ends when it is let go. */
function doubling({
  most = 10,
  fault,
  weightOf,
}: {
  most?: number;
  weightOf?: (item: number) => number;
  fault?: (items: readonly number[]) => Error | undefined;
} = {}) {
  const together: number[][] = [];
  const gates: (() => void)[] = [];
  const statements = new SharedStatements<number, number>(
    most,
    async (items) => {
      together.push([...items]);
      await new Promise<void>((resolve) => gates.push(resolve));
      const why = fault?.(items);
      if (why) throw why;
      return items.map((item) => 2 * item);
    },
    weightOf,
  );
  /** Lets every statement end, those too that begin meanwhile. */
  const letGo = async <T>(results: Promise<T>) => {
    let isOver = false;
    const ended = results.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      gates.shift()?.();
      await turn();
    }
    return ended;
  };
  return { statements, together, letGo };
}

describe('work that shares statements', () => {
  it('goes with all of its turn, or with all that came while another statement ran', async () => {
    const { statements, together, letGo } = doubling();
    const first = [1, 2].map((item) => statements.do(item));
    await turn();
    const later = [3, 4, 5].map((item) => statements.do(item));
    await turn();
    expect(together).toEqual([[1, 2]]);
    expect(await letGo(Promise.all([...first, ...later]))).toEqual([2, 4, 6, 8, 10]);
    expect(together).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
  });

  it('is no heavier than one statement may do, but for a single item that is', async () => {
    const { statements, together, letGo } = doubling({ most: 10, weightOf: (item) => item });
    const all = [6, 3, 2, 12, 1].map((item) => statements.do(item));
    expect(await letGo(Promise.all(all))).toEqual([12, 6, 4, 24, 2]);
    expect(together).toEqual([[6, 3], [2], [12], [1]]);
  });

  it('waits for nobody when it is alone', async () => {
    const { statements, together, letGo } = doubling();
    const result = statements.do(1);
    await turn();
    expect(together).toEqual([[1]]);
    expect(await letGo(result)).toBe(2);
  });

  it('has no statement that is larger than the largest', async () => {
    const { statements, together, letGo } = doubling({ most: 2 });
    expect(await letGo(Promise.all([1, 2, 3, 4, 5].map((item) => statements.do(item))))).toEqual([2, 4, 6, 8, 10]);
    expect(together).toEqual([[1, 2], [3, 4], [5]]);
  });

  it('fails alone: the others are done without it', async () => {
    const fault = (items: readonly number[]) => (items.includes(3) ? new Error('three') : undefined);
    const { statements, letGo } = doubling({ fault });
    const results = Promise.allSettled([1, 2, 3, 4].map((item) => statements.do(item)));
    expect(
      (await letGo(results)).map((each) => (each.status === 'fulfilled' ? each.value : String(each.reason))),
    ).toEqual([2, 4, 'Error: three', 8]);
  });

  it('is held up for two seconds by a statement that hangs, and no longer', async () => {
    jest.useFakeTimers();
    try {
      const { statements, together } = doubling();
      void statements.do(1);
      await jest.advanceTimersByTimeAsync(0);
      void statements.do(2);
      await jest.advanceTimersByTimeAsync(1_990);
      expect(together).toEqual([[1]]);
      await jest.advanceTimersByTimeAsync(20);
      expect(together).toEqual([[1], [2]]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('fails together in an outage, and is not tried again one by one', async () => {
    const fault = () => new LedgerFault(new Error('gone'), false);
    const { statements, together, letGo } = doubling({ fault });
    const results = await letGo(Promise.allSettled([1, 2, 3].map((item) => statements.do(item))));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(together).toEqual([[1, 2, 3]]);
  });
});

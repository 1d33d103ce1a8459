import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/services/eventually.js';
import { SharedPlaces } from './shared-places.js';

describe('turns at restores', () => {
  /** Begins work that lasts until it is told to end, and notes when it has its turn. */
  function working(turns: SharedPlaces) {
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    const begin = (name: string, accountId: string, signal?: AbortSignal) =>
      turns.take(accountId, signal, () => {
        begun.push(name);
        return new Promise<void>((resolve) => void ends.set(name, resolve));
      });
    return { begun, begin, end: (name: string) => ends.get(name)?.() };
  }

  it('leave a place to other accounts, however many restores of one have come before', async () => {
    const { begun, begin, end } = working(new SharedPlaces(3));
    const all = [begin('a1', 'a'), begin('a2', 'a'), begin('a3', 'a'), begin('a4', 'a'), begin('b1', 'b')];
    await eventually(() => expect(begun).toEqual(['a1', 'a2', 'b1']), { withinMs: 1_000 });
    end('b1');
    all.push(begin('c1', 'c'), begin('c2', 'c'));
    await eventually(() => expect(begun).toEqual(['a1', 'a2', 'b1', 'c1']), { withinMs: 1_000 });
    end('a1');
    await eventually(() => expect(begun.at(-1)).toBe('a3'), { withinMs: 1_000 });
    for (const name of ['a2', 'c1', 'a3']) end(name);
    await eventually(() => expect(begun.slice(-2)).toEqual(['a4', 'c2']), { withinMs: 1_000 });
    for (const name of ['a4', 'c2']) end(name);
    await Promise.all(all);
  });

  it('come one after the other where there is one place, and are given up by who does not wait', async () => {
    const { begun, begin, end } = working(new SharedPlaces(1));
    const ending = new AbortController();
    const first = begin('a1', 'a');
    const given = begin('a2', 'a', ending.signal);
    const last = begin('a3', 'a');
    ending.abort();
    await expect(given).rejects.toMatchObject({ code: 'cancelled' });
    end('a1');
    await first;
    await eventually(() => expect(begun).toEqual(['a1', 'a3']), { withinMs: 1_000 });
    end('a3');
    await last;
  });
});

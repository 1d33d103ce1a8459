import { describe, expect, it } from '@jest/globals';
import { RoundRobin } from './round-robin.js';

const givenUp = () => new Error('given up');

/** Work that ends when the test says so, and the order in which it was begun. */
function scene(limits: { atOnce: number; waiting: number }) {
  const turns = new RoundRobin(limits);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const ask = (asker: string) =>
    turns.run(
      asker,
      () => {
        begun.push(asker);
        return new Promise<void>((end) => ends.push(end));
      },
      givenUp,
    );
  const end = async () => {
    ends.shift()?.();
    for (let n = 0; n < 5; n += 1) await Promise.resolve();
  };
  return { begun, ask, end, turns };
}

describe('turns', () => {
  it('are taken by one asker after the other, however much one of them asks for', async () => {
    const { begun, ask, end } = scene({ atOnce: 2, waiting: 100 });
    const all = [...Array.from({ length: 6 }, () => ask('much')), ask('one'), ask('another')];
    expect(begun).toEqual(['much', 'much']);
    for (let n = 0; n < 8; n += 1) await end();
    await Promise.all(all);
    expect(begun.slice(2)).toEqual(['much', 'one', 'another', 'much', 'much', 'much']);
  });

  it('are lost by whoever waits for most when too much waits, and by nobody else', async () => {
    const { begun, ask, end } = scene({ atOnce: 1, waiting: 3 });
    const much = Array.from({ length: 10 }, () => ask('much').catch((error: Error) => error.message));
    const one = ask('one');
    for (let n = 0; n < 4; n += 1) await end();
    await one;
    expect((await Promise.all(much)).filter((outcome) => outcome === 'given up')).toHaveLength(7);
    expect(begun).toEqual(['much', 'much', 'one', 'much']);
  });

  it('go on after work that failed', async () => {
    const { turns, ask, end, begun } = scene({ atOnce: 1, waiting: 3 });
    await expect(turns.run('a', () => Promise.reject(new Error('broken')), givenUp)).rejects.toThrow('broken');
    const next = ask('b');
    await end();
    await next;
    expect(begun).toEqual(['b']);
  });
});

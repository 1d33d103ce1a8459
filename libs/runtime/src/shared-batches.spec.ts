import { expect, it } from '@jest/globals';
import { eventually } from '../../../test/services/eventually.js';
import { SharedBatches } from './shared-batches.js';

/** Work whose batches end when they are told to. */
class Batches {
  readonly begun: { keys: readonly string[]; end(done?: readonly string[]): void; fail(error: Error): void }[] = [];
  readonly work = (keys: readonly string[]) =>
    new Promise<Map<string, number>>((resolve, reject) => {
      const number = this.begun.length;
      const end = (done = keys) => resolve(new Map(done.map((key) => [key, number])));
      this.begun.push({ keys, end, fail: reject });
    });

  async end(number: number, done?: readonly string[]): Promise<void> {
    this.begun[number]?.end(done);
    await new Promise(setImmediate);
  }

  async fail(number: number, error: Error): Promise<void> {
    this.begun[number]?.fail(error);
    await new Promise(setImmediate);
  }

  get keys(): string[] {
    return this.begun.map(({ keys }) => keys.join(' '));
  }
}

function shared(options: { lanes?: number; mostKeys?: number; longestMs?: number } = {}) {
  const batches = new Batches();
  const isForAll = (error: unknown) => error instanceof Error && error.message === 'away';
  const work = { lanes: 1, mostKeys: 100, longestMs: 60_000, work: batches.work, isForAll, ...options };
  return { batches, asks: new SharedBatches<number>(work) };
}
const begun = () => new Promise(setImmediate);
const many = (count: number) => Array.from({ length: count }, (_, number) => `key-${number}`);

it('what is asked for in one go is one batch, and each key is in it once', async () => {
  const { batches, asks } = shared();
  const all = ['one', 'other', 'one'].map((key) => asks.ask(key));
  await begun();
  expect(batches.keys).toEqual(['one other']);
  await batches.end(0);
  expect(await Promise.all(all)).toEqual([0, 0, 0]);
});

it('all who ask for a key while it is worked on share the batch that begins next', async () => {
  const { batches, asks } = shared({ lanes: 2 });
  const first = asks.ask('key');
  await begun();
  const later = Array.from({ length: 64 }, () => asks.ask('key'));
  await begun();
  expect(batches.keys).toEqual(['key']);
  await batches.end(0);
  expect(batches.keys).toEqual(['key', 'key']);
  await batches.end(1);
  expect(await first).toBe(0);
  expect(new Set(await Promise.all(later))).toEqual(new Set([1]));
});

it('other keys go on beside those that are worked on, as many batches at a time as there are lanes', async () => {
  const { batches, asks } = shared({ lanes: 2 });
  const all = [];
  for (const key of ['one', 'two', 'three']) {
    all.push(asks.ask(key));
    await begun();
  }
  expect(batches.keys).toEqual(['one', 'two']);
  await batches.end(0);
  expect(batches.keys).toEqual(['one', 'two', 'three']);
  await batches.end(1);
  await batches.end(2);
  expect(await Promise.all(all)).toEqual([0, 1, 2]);
});

it('many keys are divided among the lanes, and no batch has more than it may', async () => {
  const { batches, asks } = shared({ lanes: 2, mostKeys: 50 });
  const all = many(120).map((key) => asks.ask(key));
  await begun();
  expect(batches.begun.map(({ keys }) => keys.length)).toEqual([50, 50]);
  await batches.end(0);
  expect(batches.begun.map(({ keys }) => keys.length)).toEqual([50, 50, 20]);
  await batches.end(1);
  await batches.end(2);
  await Promise.all(all);
});

it('a key that is not done yet is worked on again after the others, for whoever has asked for it meanwhile too', async () => {
  const { batches, asks } = shared({ mostKeys: 1 });
  const [large, small] = [asks.ask('large'), asks.ask('small')];
  await begun();
  const later = asks.ask('large');
  await batches.end(0, []);
  await batches.end(1);
  expect(await small).toBe(1);
  await batches.end(2, []);
  await batches.end(3);
  expect(batches.keys).toEqual(['large', 'small', 'large', 'large']);
  expect(await Promise.all([large, later])).toEqual([3, 3]);
});

it('the first key that is not done has had its share, and comes after those that were not reached', async () => {
  const { batches, asks } = shared();
  const all = ['done', 'large', 'one', 'other'].map((key) => asks.ask(key));
  await begun();
  await batches.end(0, ['done']);
  expect(batches.keys).toEqual(['done large one other', 'one other large']);
  await batches.end(1);
  expect(await Promise.all(all)).toEqual([0, 1, 1, 1]);
});

it('a key that fails fails alone, and is found by halves', async () => {
  const { batches, asks } = shared();
  const all = ['one', 'bad', 'two', 'three'].map((key) => asks.ask(key).catch((error: unknown) => error));
  await begun();
  const bad = new Error('bad');
  await batches.fail(0, bad);
  await batches.fail(1, bad);
  await batches.end(2);
  await batches.fail(3, bad);
  await batches.end(4);
  expect(batches.keys).toEqual(['one bad two three', 'one bad', 'one', 'bad', 'two three']);
  expect(await Promise.all(all)).toEqual([2, bad, 4, 4]);
});

it('what every key would meet is told to all at once, and the next ones are tried', async () => {
  const { batches, asks } = shared();
  const all = ['one', 'other'].map((key) => asks.ask(key).catch((error: Error) => error.message));
  await begun();
  await batches.fail(0, new Error('away'));
  expect(await Promise.all(all)).toEqual(['away', 'away']);
  const next = asks.ask('one');
  await begun();
  await batches.end(1);
  expect(await next).toBe(1);
});

it('the next batch begins beside one that takes too long', async () => {
  const { batches, asks } = shared({ longestMs: 10 });
  const slow = asks.ask('key');
  await begun();
  const next = asks.ask('key');
  await eventually(() => expect(batches.begun).toHaveLength(2), { withinMs: 10_000 });
  await batches.end(1);
  expect(await next).toBe(1);
  await batches.end(0);
  expect(await slow).toBe(0);
});

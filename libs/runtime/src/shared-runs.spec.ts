import { expect, it } from '@jest/globals';
import { eventually } from '../../../test/services/eventually.js';
import { SharedRuns } from './shared-runs.js';

/** Work whose runs end when they are told to. */
class Runs {
  readonly begun: { end(error?: Error): void }[] = [];
  readonly work = () =>
    new Promise<void>((resolve, reject) => {
      this.begun.push({ end: (error) => (error ? reject(error) : resolve()) });
    });

  async end(index: number, error?: Error): Promise<void> {
    this.begun[index]?.end(error);
    await new Promise(setImmediate);
  }
}

it('runs one at a time, and all who ask meanwhile share the run that begins next', async () => {
  const shared = new SharedRuns<void>(60_000);
  const runs = new Runs();
  const ended: string[] = [];
  const ask = (name: string) => shared.share('key', runs.work).then(() => ended.push(name));
  const all = [ask('first'), ask('second'), ask('third')];
  expect(runs.begun).toHaveLength(1);
  await runs.end(0);
  expect(ended).toEqual(['first']);
  expect(runs.begun).toHaveLength(2);
  all.push(ask('fourth'));
  await runs.end(1);
  expect(ended).toEqual(['first', 'second', 'third']);
  await runs.end(2);
  await Promise.all(all);
  expect(runs.begun).toHaveLength(3);
  await Promise.all([ask('later'), runs.end(3)]);
  expect(runs.begun).toHaveLength(4);
});

it('goes on after a run that failed, and tells the failure to those who shared it', async () => {
  const shared = new SharedRuns<void>(60_000);
  const runs = new Runs();
  const failed = shared.share('key', runs.work);
  const next = shared.share('key', runs.work);
  await Promise.all([expect(failed).rejects.toThrow('away'), runs.end(0, new Error('away'))]);
  await Promise.all([expect(next).resolves.toBeUndefined(), runs.end(1)]);
});

it('keeps no key waiting for another', () => {
  const shared = new SharedRuns<void>(60_000);
  const runs = new Runs();
  void shared.share('one', runs.work);
  void shared.share('other', runs.work);
  expect(runs.begun).toHaveLength(2);
});

it('lets work alone, in the order in which it was asked for', async () => {
  const shared = new SharedRuns<void>(60_000);
  const runs = new Runs();
  const order: string[] = [];
  const all = [
    shared.share('key', runs.work),
    shared.alone('key', async () => void order.push('alone')),
    shared.share('key', async () => void order.push('shared')),
    shared.share('key', async () => void order.push('never: the one before is shared')),
  ];
  expect(order).toEqual([]);
  await runs.end(0);
  await Promise.all(all);
  expect(order).toEqual(['alone', 'shared']);
});

it('begins the next run beside one that takes too long', async () => {
  const shared = new SharedRuns<void>(10);
  const runs = new Runs();
  void shared.share('key', runs.work);
  const next = shared.share('key', runs.work);
  await eventually(() => expect(runs.begun).toHaveLength(2), { withinMs: 10_000 });
  await Promise.all([next, runs.end(1)]);
});

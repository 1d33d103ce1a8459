import { expect, it } from '@jest/globals';
import { ReadsAtATime } from './reads-at-a-time.js';

it('lets so many reads run as it is told, the next when one has ended or failed, and in order', async () => {
  const reads = new ReadsAtATime(2);
  const begun: number[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const all = Promise.allSettled(
    [0, 1, 2, 3].map((number) =>
      reads.read(
        () =>
          new Promise<void>((resolve, reject) => {
            begun.push(number);
            ends[number] = (error) => (error ? reject(error) : resolve());
          }),
      ),
    ),
  );
  const settled = () => new Promise(setImmediate);
  await settled();
  expect(begun).toEqual([0, 1]);
  ends[1]?.(new Error('it fails'));
  await settled();
  expect(begun).toEqual([0, 1, 2]);
  ends[0]?.();
  await settled();
  expect(begun).toEqual([0, 1, 2, 3]);
  ends[2]?.();
  ends[3]?.();
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
});

import { expect, it } from '@jest/globals';
import type { Lane } from './known-jobs.js';
import { LaneLooks } from './lane-looks.js';

const lane = (name: string): Lane => ({ kind: 'copy', lane: name });

it('those that ask together share one look, and whoever asks while it goes on has the next one', async () => {
  const looks: string[][] = [];
  const late: Promise<number>[] = [];
  const all = new LaneLooks({
    nextInMs: async (lanes) => {
      looks.push(lanes.map((each) => each.lane));
      if (looks.length === 1) late.push(all.nextInMs(lane('SYD')));
      return lanes.map((_, place) => place * 100);
    },
  });
  expect(await Promise.all(['IAD', 'ORD', 'HKG'].map((name) => all.nextInMs(lane(name))))).toEqual([0, 100, 200]);
  expect(await Promise.all(late)).toEqual([0]);
  expect(looks).toEqual([['IAD', 'ORD', 'HKG'], ['SYD']]);
});

it('a look that fails fails for all who share it, and the next one is made anew', async () => {
  const away = new Error('the database is away');
  let isAway = true;
  const all = new LaneLooks({
    nextInMs: async (lanes) => {
      if (isAway) throw away;
      return lanes.map(() => 5);
    },
  });
  const asked = await Promise.allSettled([all.nextInMs(lane('IAD')), all.nextInMs(lane('ORD'))]);
  expect(asked.map((each) => each.status === 'rejected' && each.reason)).toEqual([away, away]);
  isAway = false;
  expect(await all.nextInMs(lane('IAD'))).toBe(5);
});

import { describe, expect, it } from '@jest/globals';
import type { Reached } from './relay-cursor.js';
import { RelayPass } from './relay-pass.js';

const spreadOver = 3;
const always = () => true;
const never = () => false;
const unsentAt = (...entries: [partition: number, position: number][]) => new Map(entries);

describe('a pass of the relay', () => {
  it('sends what comes next to every partition', () => {
    const pass = new RelayPass({ position: 10, ahead: new Map() }, spreadOver, always);
    expect([pass.from, pass.isCatchingUp]).toEqual([10, false]);
    expect([0, 1, 2].map((partition) => pass.sends(partition, 11))).toEqual([true, true, true]);
    expect(pass.after(20, new Map())).toEqual({ position: 20, ahead: new Map() });
  });

  it('stays before the first event that a partition did not take, and remembers how far the others are', () => {
    const pass = new RelayPass({ position: 10, ahead: new Map() }, spreadOver, always);
    expect(pass.after(20, unsentAt([1, 14]))).toEqual({
      position: 13,
      ahead: new Map([
        [0, 20],
        [2, 20],
      ]),
    });
  });

  it('goes on with the others while a partition is not to be tried again', () => {
    const reached = {
      position: 13,
      ahead: new Map([
        [0, 20],
        [2, 20],
      ]),
    };
    const pass = new RelayPass(reached, spreadOver, never);
    expect([pass.from, pass.isCatchingUp]).toEqual([20, false]);
    expect([0, 1, 2].map((partition) => pass.sends(partition, 21))).toEqual([true, false, true]);
    expect(pass.after(30, new Map())).toEqual({
      position: 13,
      ahead: new Map([
        [0, 30],
        [2, 30],
      ]),
    });
  });

  it('sends what a partition lacks, and to the others nothing again', () => {
    const reached = {
      position: 13,
      ahead: new Map([
        [0, 20],
        [2, 20],
      ]),
    };
    const pass = new RelayPass(reached, spreadOver, always);
    expect([pass.from, pass.isCatchingUp]).toEqual([13, true]);
    expect([0, 1, 2].map((partition) => pass.sends(partition, 14))).toEqual([false, true, false]);
    expect(pass.after(18, new Map())).toEqual({
      position: 18,
      ahead: new Map([
        [0, 20],
        [2, 20],
      ]),
    });
    expect(pass.after(25, new Map())).toEqual({ position: 20, ahead: new Map([[1, 25]]) });
    expect(pass.after(undefined, new Map())).toEqual({ position: 20, ahead: new Map() });
  });

  it('never sends an event twice or leaves one out, whichever partitions fail and when', () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    for (let history = 0; history < 300; history += 1) {
      const events = Array.from({ length: 60 }, (_, n) => ({ position: n + 1, partition: random(spreadOver) }));
      const took = new Map<number, number[]>([0, 1, 2].map((partition) => [partition, []]));
      let reached: Pick<Reached, 'position' | 'ahead'> = { position: 0, ahead: new Map() };
      for (let turn = 0; reached.position < 60; turn += 1) {
        expect(turn).toBeLessThan(2_000);
        const isQuiet = turn > 300;
        const pass = new RelayPass(reached, spreadOver, () => isQuiet || random(2) === 0);
        const window = events.filter(({ position }) => position > pass.from).slice(0, 1 + random(9));
        const firstUnsent = new Map<number, number>();
        for (const { partition, position } of window) {
          if (!pass.sends(partition, position) || firstUnsent.has(partition)) continue;
          if (!isQuiet && random(4) === 0) firstUnsent.set(partition, position);
          else took.get(partition)?.push(position);
        }
        if (window.length === 0 && !pass.isCatchingUp) continue;
        reached = pass.after(window.at(-1)?.position, firstUnsent);
      }
      for (const [partition, positions] of took) {
        const own = events.filter((each) => each.partition === partition).map(({ position }) => position);
        expect(positions).toEqual(own);
      }
    }
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { StorePace, type Turn } from './store-pace.js';

const { signal } = new AbortController();

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** So many requests that want to begin at once. */
class Crowd {
  readonly turns: Turn[] = [];

  constructor(
    private readonly pace: StorePace,
    readonly count: number,
  ) {
    for (let each = 0; each < count; each += 1)
      void pace.turn(new AbortController().signal).then((turn) => this.turns.push(turn));
  }

  /** How many have begun. */
  async begun(): Promise<number> {
    await jest.advanceTimersByTimeAsync(0);
    return this.turns.length;
  }

  /** Each that runs is answered, and the next ones begin. */
  async answered(): Promise<number> {
    const running = this.turns.splice(0);
    for (const turn of running) turn.end();
    await this.begun();
    return this.pace.limit ?? Number.POSITIVE_INFINITY;
  }
}

describe('requests to a store', () => {
  it('are under no limit as long as the store keeps up', async () => {
    const crowd = new Crowd(new StorePace(), 1_000);
    expect(await crowd.begun()).toBe(1_000);
    expect(await crowd.answered()).toBe(Number.POSITIVE_INFINITY);
  });

  it('are all held back for as long as the store asks to be left alone', async () => {
    const pace = new StorePace();
    const first = await pace.turn(signal);
    first.endBusy(3_000);
    const crowd = new Crowd(pace, 4);
    await jest.advanceTimersByTimeAsync(2_999);
    expect(await crowd.begun()).toBe(0);
    await jest.advanceTimersByTimeAsync(1);
    expect(await crowd.begun()).toBe(1);
  });

  it('are half as many at a time after a busy answer, and one more after each round that the store keeps up', async () => {
    const pace = new StorePace();
    const first = new Crowd(pace, 16);
    await first.begun();
    // Sixteen busy answers to one crowd halve it once.
    for (const turn of first.turns) turn.endBusy(0);
    expect(pace.limit).toBe(8);
    const second = new Crowd(pace, 1_000);
    expect(await second.begun()).toBe(8);
    const limits: number[] = [];
    for (let round = 0; round < 4; round += 1) limits.push(await second.answered());
    expect(limits).toEqual([8, 9, 10, 11]);
    second.turns.pop()?.endBusy(0);
    expect(pace.limit).toBe(5);
  });

  it('are one at a time at the least, and free again when the store has kept up for long', async () => {
    const pace = new StorePace();
    for (let count = 0; count < 5; count += 1) {
      (await pace.turn(signal)).endBusy(0);
      await jest.advanceTimersByTimeAsync(1);
    }
    expect(pace.limit).toBe(1);
    const crowd = new Crowd(pace, 5_000);
    expect(await crowd.begun()).toBe(1);
    while (pace.limit !== undefined) await crowd.answered();
    expect(crowd.turns.length).toBeGreaterThan(64);
  });

  it('begin in the order in which they came, and one that is given up leaves its place to the next', async () => {
    const pace = new StorePace();
    (await pace.turn(signal)).endBusy(1_000);
    const givenUp = new AbortController();
    const told: string[] = [];
    const wants = (name: string, by: AbortSignal) =>
      pace.turn(by).then(
        () => told.push(`${name} begins`),
        (error: Error) => told.push(`${name}: ${error.message}`),
      );
    void wants('first', signal);
    void wants('second', givenUp.signal);
    const third = wants('third', signal);
    givenUp.abort(new Error('the process is stopping'));
    await jest.advanceTimersByTimeAsync(1_000);
    expect(told).toEqual(['second: the process is stopping', 'first begins']);
    expect(pace.limit).toBe(1);
    void third;
  });

  it('tell how busy the store is and how long they have waited', async () => {
    let busy = 0;
    const waits: number[] = [];
    const pace = new StorePace({ onBusy: () => (busy += 1), onWaited: (ms) => waits.push(ms) });
    (await pace.turn(signal)).endBusy(500);
    const crowd = new Crowd(pace, 1);
    await jest.advanceTimersByTimeAsync(500);
    expect(await crowd.begun()).toBe(1);
    expect(busy).toBe(1);
    expect(waits).toEqual([500]);
  });
});

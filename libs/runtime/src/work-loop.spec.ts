import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createLogger } from './log.js';
import { WorkLoop, type WorkLoopOptions } from './work-loop.js';

describe('a work loop', () => {
  let lines: string[];
  let passes: number;
  let loop: WorkLoop | undefined;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    lines = [];
    passes = 0;
  });
  afterEach(async () => {
    await Promise.all([loop?.stop(), jest.runAllTimersAsync()]);
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  function start(pass: WorkLoopOptions['pass']) {
    const log = createLogger({ app: 'test', level: 'info', to: { write: (line) => lines.push(line) } });
    loop = new WorkLoop({
      name: 'relay of backups',
      intervalMs: 1_000,
      log,
      random: () => 0.5,
      pass: async (signal, moved) => {
        passes += 1;
        return (await pass(signal, moved)) ?? 'done';
      },
    });
    loop.start();
    return loop;
  }
  const passed = (ms: number) => jest.advanceTimersByTimeAsync(ms);
  const said = (words: string) => lines.filter((line) => line.includes(words)).length;

  it('is known to work only when its newest pass came to an end', async () => {
    let fails = true;
    let hangs = false;
    const begun = start(async () => {
      if (fails) throw new Error('no table');
      if (hangs) await new Promise<void>((resolve) => setTimeout(resolve, 90_000));
    });
    await expect(begun.probe()).rejects.toThrow('relay of backups has not run yet');
    await passed(0);
    await expect(begun.probe()).rejects.toThrow('relay of backups fails: no table');
    fails = false;
    await passed(1_000);
    await expect(begun.probe()).resolves.toBeUndefined();
    hangs = true;
    const now = jest.spyOn(performance, 'now');
    await passed(1_000);
    await expect(begun.probe()).resolves.toBeUndefined();
    const since = performance.now();
    now.mockImplementation(() => since + 61_000);
    await expect(begun.probe()).rejects.toThrow(/relay of backups has been at one pass for 6\d s/);
    now.mockRestore();
    await passed(90_000);
    hangs = false;
    await passed(1_000);
    await expect(begun.probe()).resolves.toBeUndefined();
  });

  it('is known to work while a pass goes on for long and moves, the first one too, and no longer when it stands', async () => {
    const now = jest.spyOn(performance, 'now');
    let at = 0;
    now.mockImplementation(() => at);
    let move = () => {};
    const begun = start(async (_, moved) => {
      move = moved;
      await new Promise<void>((resolve) => setTimeout(resolve, 600_000));
    });
    await passed(0);
    await expect(begun.probe()).rejects.toThrow('has not run yet');
    for (let minute = 1; minute <= 3; minute += 1) {
      at += 50_000;
      move();
      await expect(begun.probe()).resolves.toBeUndefined();
    }
    at += 61_000;
    await expect(begun.probe()).rejects.toThrow(
      'relay of backups has been at one pass for 211 s, and has not moved for 61 s',
    );
    move();
    await expect(begun.probe()).resolves.toBeUndefined();
    now.mockRestore();
    await passed(600_000);
  });

  it('runs its pass once an interval when nothing wakes it', async () => {
    start(async () => {});
    await passed(0);
    expect(passes).toBe(1);
    await passed(999);
    expect(passes).toBe(1);
    await passed(1);
    expect(passes).toBe(2);
  });

  it('sleeps for as long as its pass says, and no longer when it is woken', async () => {
    const { wake } = bound(start(async () => ({ nextInMs: 30_000 })));
    await passed(29_999);
    expect(passes).toBe(1);
    await passed(1);
    expect(passes).toBe(2);
    wake();
    await passed(0);
    expect(passes).toBe(3);
  });

  it('runs at once when woken', async () => {
    const { wake } = bound(start(async () => {}));
    await passed(0);
    wake();
    wake();
    await passed(0);
    expect(passes).toBe(2);
  });

  it('never runs two passes at a time, and forgets no wake that comes during one', async () => {
    let atOnce = 0;
    let most = 0;
    const { wake } = bound(
      start(async () => {
        most = Math.max(most, ++atOnce);
        await new Promise((resolve) => setTimeout(resolve, 100));
        atOnce -= 1;
      }),
    );
    await passed(50);
    wake();
    await passed(50);
    await passed(100);
    expect({ passes, most }).toEqual({ passes: 2, most: 1 });
  });

  it('goes on without a pause while there is more to do', async () => {
    start(async () => (passes < 5 ? 'again' : 'done'));
    await passed(100);
    expect(passes).toBe(5);
  });

  it('waits longer and longer after each failure, logs the first one, and logs when it works again', async () => {
    let broken = true;
    const { wake } = bound(
      start(async () => {
        if (broken) throw new Error('the database is away');
      }),
    );
    await passed(0);
    // The pauses are 250, 500, 1000, 2000, 4000, 8000 and 10000 ms, less an eighth. Wakes do not shorten them.
    for (let second = 0; second < 24; second += 1) {
      wake();
      await passed(1_000);
    }
    expect(passes).toBe(8);
    expect(said('relay of backups failed')).toBe(1);
    broken = false;
    await passed(10_000);
    expect(said('relay of backups works again')).toBe(1);
    const before = passes;
    await passed(1_000);
    expect(passes).toBe(before + 1);
  });

  it('when stopped, tells the pass in hand, waits for its end, and begins no other', async () => {
    let ended = false;
    const stopping = start(async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', () => setTimeout(resolve, 100)));
      ended = true;
    });
    await passed(0);
    const stopped = stopping.stop().then(() => ended);
    stopping.wake();
    await passed(100);
    expect(await stopped).toBe(true);
    await passed(10_000);
    expect(passes).toBe(1);
  });
});

function bound(loop: WorkLoop) {
  return { wake: () => loop.wake() };
}

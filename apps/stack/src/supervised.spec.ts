import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/services/eventually.js';
import { type Running, Supervised } from './supervised.js';

const soon = { withinMs: 20_000 };
const lasts = 'setInterval(() => {}, 1000)';

/** A process that stands in for a service. */
function standIn(script: string): Running {
  const child = spawn(process.execPath, ['-e', script]);
  const ended = once(child, 'exit').then(([code, signal]) => `ended by ${signal ?? code}`);
  const end = (signal: NodeJS.Signals) => async () => {
    child.kill(signal);
    await ended;
  };
  return { pid: child.pid ?? -1, ended, stop: end('SIGTERM'), kill: end('SIGKILL') };
}

interface Seen {
  started: number[];
  lost: { how: string; pauseMs: number }[];
  stopped: number;
}

async function supervise(start: (signal: AbortSignal) => Promise<Running>): Promise<[Supervised<Running>, Seen]> {
  const seen: Seen = { started: [], lost: [], stopped: 0 };
  const supervised = await Supervised.start(
    {
      start,
      onStarted: ({ pid }) => seen.started.push(pid),
      onLost: (how, pauseMs) => seen.lost.push({ how, pauseMs }),
      onStopped: () => {
        seen.stopped += 1;
      },
      firstPauseMs: 10,
      longestPauseMs: 40,
      steadyMs: 60_000,
    },
    new AbortController().signal,
  );
  begun.push(supervised);
  return [supervised, seen];
}

/** A test that fails must not leave one behind that starts for ever. */
const begun: Supervised<Running>[] = [];
afterEach(() => Promise.all(begun.splice(0).map((each) => each.stop())));

describe('something supervised', () => {
  it('runs again when it is killed, as another process', async () => {
    const [supervised, seen] = await supervise(async () => standIn(lasts));
    await supervised.current?.kill();
    await eventually(() => expect(seen.started).toHaveLength(2), soon);
    expect(seen.lost).toEqual([{ how: 'ended by SIGKILL', pauseMs: 10 }]);
    expect(seen.started[1]).not.toBe(seen.started[0]);
    expect(supervised.current?.pid).toBe(seen.started[1]);
  });

  it('is given longer and longer pauses while it keeps ending, up to the longest', async () => {
    const [supervised, seen] = await supervise(async () => standIn('process.exit(3)'));
    await eventually(() => expect(seen.lost.length).toBeGreaterThanOrEqual(4), soon);
    await supervised.stop();
    expect(seen.lost.slice(0, 4).map(({ pauseMs }) => pauseMs)).toEqual([10, 20, 40, 40]);
    expect(seen.lost[0]?.how).toBe('ended by 3');
  });

  it('is tried again when it can’t be started, and the reason is reported', async () => {
    let starts = 0;
    const [supervised, seen] = await supervise(async () => {
      starts += 1;
      if (starts === 2) throw new Error('no disk');
      return standIn(lasts);
    });
    await supervised.current?.kill();
    await eventually(() => expect(seen.started).toHaveLength(2), soon);
    expect(seen.lost.map(({ how }) => how)).toEqual(['ended by SIGKILL', 'could not be started: no disk']);
  });

  it('stays down when it is stopped, and that is no loss', async () => {
    const [supervised, seen] = await supervise(async () => standIn(lasts));
    await supervised.stop();
    expect(seen).toMatchObject({ lost: [], stopped: 1 });
    expect(seen.started).toHaveLength(1);
  });

  it('does not come up any more when it is stopped while it is starting again', async () => {
    let starts = 0;
    const [supervised, seen] = await supervise(async (signal) => {
      starts += 1;
      if (starts === 1) return standIn(lasts);
      return new Promise<Running>((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error('called off'))),
      );
    });
    await supervised.current?.kill();
    await eventually(() => expect(starts).toBe(2), soon);
    await supervised.stop();
    expect(seen.started).toHaveLength(1);
  });

  it('that does not start the first time is not supervised', async () => {
    await expect(supervise(() => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk');
  });
});

import { describe, expect, it } from '@jest/globals';
import { type Known, SteadyTime, toleranceMs } from './steady-time.js';

const minuteMs = 60_000;
const hourMs = 3_600_000;
const catchUpMs = 12 * hourMs;
const beginMs = Date.parse('2026-11-20T00:00:00Z');

/** Clocks that are right unless they are set, read each minute. */
function world(known?: Known) {
  const clocks: { databaseOffMs: number; processOffMs: number; otherOffMs?: number } = {
    databaseOffMs: 0,
    processOffMs: 0,
  };
  let steady = new SteadyTime(catchUpMs, known);
  let passedMs = 0;
  const read = () => {
    const trueMs = beginMs + passedMs;
    const databaseMs = trueMs + clocks.databaseOffMs;
    const reading = steady.read({
      databaseMs,
      processMs: trueMs + clocks.processOffMs,
      uptimeMs: 1_000_000 + passedMs,
      ...(clocks.otherOffMs !== undefined && { othersMs: [trueMs + clocks.otherOffMs] }),
    });
    return { ...reading, errorMs: reading.nowMs - trueMs };
  };
  const goOn = (ms: number) => {
    for (const end = passedMs + ms; passedMs < end; ) {
      passedMs += minuteMs;
      read();
    }
    return read();
  };
  const restart = () => {
    steady = new SteadyTime(catchUpMs, steady.known);
    return read();
  };
  return { clocks, read, goOn, restart };
}

describe('the steady time', () => {
  it.each([3 * 24 * hourMs, -8 * hourMs, 10 * 365 * 24 * hourMs, 2 * minuteMs])(
    'goes on when one clock is wrong by %d ms, for hours, and through a restart',
    (offMs) => {
      for (const clock of ['databaseOffMs', 'processOffMs'] as const) {
        const { clocks, goOn, restart } = world();
        goOn(hourMs);
        clocks[clock] = offMs;
        for (const reading of [goOn(20 * hourMs), restart(), goOn(hourMs)]) {
          expect(reading).toMatchObject({ isInDoubt: false, doubtMs: 0, disagreementMs: Math.abs(offMs) });
          expect(Math.abs(reading.errorMs)).toBeLessThan(toleranceMs);
          expect(reading.problem).toBe(clock === 'databaseOffMs' ? 'database-clock' : 'process-clock');
        }
        clocks[clock] = 0;
        expect(goOn(minuteMs)).toMatchObject({ problem: 'none', isInDoubt: false });
      }
    },
  );

  it('lets the earlier time count while all clocks have jumped, and calls nothing missed', () => {
    for (const offMs of [3 * 24 * hourMs, -8 * hourMs]) {
      const { clocks, goOn, restart } = world();
      goOn(hourMs);
      Object.assign(clocks, { databaseOffMs: offMs, processOffMs: offMs });
      for (const reading of [goOn(hourMs), restart(), goOn(4 * hourMs)]) {
        expect(reading).toMatchObject({ isInDoubt: true, problem: 'both-jumped', errorMs: Math.min(0, offMs) });
      }
      Object.assign(clocks, { databaseOffMs: 0, processOffMs: 0 });
      const after = goOn(minuteMs);
      expect(after).toMatchObject({ isInDoubt: false, errorMs: 0 });
      expect(after.doubtMs).toBeGreaterThanOrEqual(4 * hourMs);
    }
  });

  it('believes a jump of all clocks after as long as it is wide, and after half the catch-up window at most', () => {
    const { clocks, goOn } = world();
    goOn(hourMs);
    Object.assign(clocks, { databaseOffMs: 2 * hourMs, processOffMs: 2 * hourMs });
    expect(goOn(hourMs)).toMatchObject({ isInDoubt: true, errorMs: 0 });
    expect(goOn(hourMs + minuteMs)).toMatchObject({ isInDoubt: false, errorMs: 2 * hourMs });
    Object.assign(clocks, { databaseOffMs: 99 * hourMs, processOffMs: 99 * hourMs });
    expect(goOn(5 * hourMs)).toMatchObject({ isInDoubt: true, errorMs: 2 * hourMs });
    expect(goOn(hourMs + minuteMs)).toMatchObject({ isInDoubt: false, errorMs: 99 * hourMs });
  });

  it('goes on while all clocks have jumped, for however long another host tells the same time, and tells none itself', () => {
    const { clocks, goOn, read } = world();
    goOn(hourMs);
    Object.assign(clocks, { databaseOffMs: 72 * hourMs, processOffMs: 72 * hourMs, otherOffMs: 2_000 });
    expect(goOn(48 * hourMs)).toMatchObject({ isInDoubt: false, doubtMs: 0, problem: 'both-wrong' });
    expect(Math.abs(read().errorMs)).toBeLessThan(toleranceMs);
    // A host that goes by the new time, or is gone, holds nothing up.
    clocks.otherOffMs = 72 * hourMs;
    expect(goOn(minuteMs)).toMatchObject({ isInDoubt: true, problem: 'both-jumped' });
    expect(goOn(catchUpMs / 2)).toMatchObject({ isInDoubt: false, problem: 'none', errorMs: 72 * hourMs });
  });

  it('at a start that knows nothing of before goes by the earlier of two clocks, and after half the window by the database', () => {
    for (const clock of ['databaseOffMs', 'processOffMs'] as const) {
      const { clocks, read, goOn } = world();
      clocks[clock] = 5 * hourMs;
      expect(read()).toMatchObject({ isInDoubt: true, errorMs: 0, problem: 'clocks-disagree' });
      expect(goOn(5 * hourMs)).toMatchObject({ isInDoubt: true, errorMs: 0 });
      expect(goOn(hourMs)).toMatchObject({ isInDoubt: false, errorMs: clocks.databaseOffMs });
    }
  });

  it('at the first start after a boot calls nothing missed while all clocks tell a time that was already', () => {
    const { clocks, read, goOn } = world({ seenAtMs: beginMs });
    Object.assign(clocks, { databaseOffMs: -3 * hourMs, processOffMs: -3 * hourMs });
    expect(read()).toMatchObject({ isInDoubt: true });
    expect(goOn(3 * hourMs)).toMatchObject({ isInDoubt: false });
    expect(world({ seenAtMs: beginMs }).read()).toMatchObject({ isInDoubt: false, errorMs: 0 });
  });

  it('follows clocks that agree, and one alone hardly at all', () => {
    const { clocks, goOn } = world();
    goOn(hourMs);
    Object.assign(clocks, { databaseOffMs: 20_000, processOffMs: 20_000 });
    expect(goOn(hourMs)).toMatchObject({ errorMs: 20_000, problem: 'none' });
    clocks.processOffMs = 24 * hourMs;
    clocks.databaseOffMs = 40_000;
    expect(goOn(hourMs).errorMs).toBeLessThan(21_000);
  });

  it('forgets its doubts when no slot to come fell into them', () => {
    const { clocks, goOn } = world();
    goOn(hourMs);
    Object.assign(clocks, { databaseOffMs: hourMs, processOffMs: hourMs });
    goOn(2 * hourMs);
    expect(goOn(catchUpMs).doubtMs).toBeGreaterThan(0);
    expect(goOn(2 * hourMs).doubtMs).toBe(0);
  });
});

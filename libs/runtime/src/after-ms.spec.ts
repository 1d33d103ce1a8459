import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { afterMs } from './after-ms.js';

const yearMs = 365 * 86_400_000;

describe('a timer for long times', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('acts once when all of the time is over, which may be longer than any timer of Node', () => {
    const act = jest.fn();
    afterMs(yearMs, act);
    jest.advanceTimersByTime(yearMs - 1);
    expect(act).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(act).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(yearMs);
    expect(act).toHaveBeenCalledTimes(1);
  });

  it('is stopped at any time', () => {
    const act = jest.fn();
    const stop = afterMs(yearMs, act);
    jest.advanceTimersByTime(yearMs / 2);
    stop();
    jest.advanceTimersByTime(yearMs);
    expect(act).not.toHaveBeenCalled();
  });
});

import { describe, expect, it } from '@jest/globals';
import { type BackupRetries, leftOfWindow, nextTry, triedInVain } from './backup-retries.js';

const windowMs = 3_600_000;
const start = Date.UTC(2026, 10, 24, 2);
const at = (ms: number) => new Date(start + ms).toISOString();

/** Tries until the window is used up; each attempt takes as long as given. @returns when each began, in milliseconds */
function tryAll(attemptMs: number, pausedMs = 0): number[] {
  const began: number[] = [];
  let retries: BackupRetries | undefined;
  let beganMs = 0;
  for (;;) {
    began.push(beganMs);
    const failedMs = beganMs + attemptMs;
    const next = nextTry(retries, new Date(start + failedMs), leftOfWindow(retries, attemptMs, windowMs));
    if (!next) return began;
    const last = { attempt: began.length, code: 'server-unreachable', reason: 'down', at: at(failedMs), ...next };
    retries = { times: began.length, since: retries?.since ?? at(failedMs), last };
    beganMs = Date.parse(next.retryAt) - start + pausedMs;
  }
}

describe('a backup that fails in a way that passes', () => {
  it('is tried again with pauses that grow to ten minutes, the last time when the window ends', () => {
    const began = tryAll(0);
    const pauses = began.slice(1).map((ms, index) => (ms - (began[index] ?? 0)) / 1_000);
    expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600, 565]);
    expect(began.at(-1)).toBe(windowMs);
  });

  it('is tried again though its attempt took longer than the window, once', () => {
    expect(tryAll(5 * windowMs)).toHaveLength(2);
  });

  it('loses no attempt to a time in which no runner was there', () => {
    expect(tryAll(0, 8 * windowMs)).toHaveLength(tryAll(0).length);
  });

  it('is not tried again without a window', () => {
    expect(nextTry(undefined, new Date(0), leftOfWindow(undefined, 0, 0))).toBeUndefined();
  });

  it('says in the end how often and how long it was tried', () => {
    const last = { attempt: 9, code: 'x', reason: 'y', at: at(2_000), retryAt: at(3_000), retryUntil: at(3_000) };
    expect(triedInVain({ times: 4, since: at(0), last }, 'The server is down.', new Date(start + windowMs))).toBe(
      'The backup was tried 5 times, and failed each time from 2026-11-24T02:00:00Z to 2026-11-24T03:00:00Z. The last attempt failed because: The server is down.',
    );
    expect(triedInVain(undefined, 'The server is down.', new Date(start))).toBe('The server is down.');
  });
});

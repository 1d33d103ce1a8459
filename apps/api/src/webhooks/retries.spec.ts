import { describe, expect, it } from '@jest/globals';
import { nextOf, usualRetries } from './retries.js';
import { meaningOf, type SendOutcome } from './sender.js';

const answered = (status: number, retryAfterMs?: number): SendOutcome => ({
  means: meaningOf(status),
  status,
  fault: status < 300 ? null : { code: 'answered', message: `answered with ${status}` },
  durationMs: 1,
  retryAfterMs,
});
const away: SendOutcome = {
  means: 'later',
  status: null,
  fault: { code: 'timeout', message: 'no answer' },
  durationMs: 1,
};
const hourMs = 3_600_000;
const next = (outcome: SendOutcome, failures: number, failingMs = 0, random = 0.5) =>
  nextOf(outcome, { failures, failingMs, random }, usualRetries);

describe('what follows from an attempt', () => {
  it('waits four times as long each time, an hour at the longest, and never in step with others', () => {
    const pauses = [1, 2, 3, 4, 5, 6, 50].map((failures) => next(away, failures));
    expect(pauses.map((each) => ('inMs' in each ? each.inMs : each))).toEqual([
      5_000,
      20_000,
      80_000,
      320_000,
      1_280_000,
      hourMs,
      hourMs,
    ]);
    expect([next(away, 1, 0, 0), next(away, 1, 0, 1)]).toEqual([
      { is: 'again', inMs: 4_000 },
      { is: 'again', inMs: 6_000 },
    ]);
  });

  it('waits as long as the receiver asks for, and never longer than an hour', () => {
    expect(next(answered(429, 90_000), 1)).toEqual({ is: 'again', inMs: 90_000 });
    expect(next(answered(503, 100 * hourMs), 1)).toEqual({ is: 'again', inMs: hourMs });
    expect(next(answered(503, 1), 1)).toEqual({ is: 'again', inMs: 5_000 });
  });

  it('passes over what is refused for good, and nothing that an endpoint which is away has not seen', () => {
    for (const status of [400, 404, 301]) {
      expect(next(answered(status), 5).is).toBe('again');
      expect(next(answered(status), 6)).toEqual({ is: 'passed-over' });
    }
    for (const outcome of [answered(500), answered(503), answered(408), answered(425), answered(429), away]) {
      expect(next(outcome, 1_000).is).toBe('again');
    }
  });

  it('disables a webhook at once when it is gone, and when nothing was taken for three days', () => {
    expect(next(answered(410), 1)).toMatchObject({ is: 'disabled', code: 'gone' });
    expect(next(away, 9, 72 * hourMs - 1).is).toBe('again');
    expect(next(away, 9, 72 * hourMs)).toMatchObject({ is: 'disabled', code: 'failing', reason: 'no answer' });
    expect(next(answered(204), 9, 72 * hourMs)).toEqual({ is: 'delivered' });
  });
});

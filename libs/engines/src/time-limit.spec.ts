import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { collectGarbage } from '../../../test/services/garbage.js';
import { endingWithin } from './time-limit.js';

/** Collects garbage until the work has ended. A limit that was lost never ends it, and then the test does not end either. */
async function ended(signal: AbortSignal): Promise<AbortSignal> {
  while (!signal.aborted) {
    collectGarbage();
    await turn();
  }
  return signal;
}

describe('a limit of time', () => {
  it('ends the work in its time, also when nobody but the work holds it and memory is tidied up', async () => {
    const signal = endingWithin(20, new AbortController().signal);
    expect((await ended(signal)).reason).toMatchObject({
      name: 'TimeoutError',
      message: expect.stringContaining('20'),
    });
  });

  it('is ended earlier by its caller, with the reason of the caller', async () => {
    const caller = new AbortController();
    const signal = endingWithin(3_600_000, caller.signal);
    const reason = new Error('the caller has gone');
    caller.abort(reason);
    expect((await ended(signal)).reason).toBe(reason);
    expect(endingWithin(3_600_000, AbortSignal.abort(reason)).reason).toBe(reason);
  });
});

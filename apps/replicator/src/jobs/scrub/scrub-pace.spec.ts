import { expect, it } from '@jest/globals';
import { ScrubPace } from './scrub-pace.js';

const never = new AbortController().signal;

it('what was read is waited for until it could have been read at that rate', async () => {
  const pace = new ScrubPace(10_000_000);
  const begun = performance.now();
  for (let n = 0; n < 10; n += 1) await pace.read(100_000, never);
  await pace.read(1, never);
  // A timer may act a little early, and what is shorter than a pause is not waited for.
  expect(performance.now() - begun).toBeGreaterThan(75);
});

it('the waiting ends at once with the reason of the signal', async () => {
  const stop = new AbortController();
  const waiting = new ScrubPace(1).read(1_000_000, stop.signal);
  stop.abort(new Error('the process is stopping'));
  await expect(waiting).rejects.toThrow('the process is stopping');
});

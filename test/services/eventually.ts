/**
 * Tries again and again until a check passes. When the time is over, it fails with the last reason. The time is longer where
 * the machine is slower, also when it has become slower since the test began.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { patienceNow } from './patience.js';

const pauseMs = 25;

export async function eventually<T>(look: () => T | Promise<T>, { withinMs }: { withinMs: number }): Promise<T> {
  const begun = performance.now();
  let patience = patienceNow();
  for (;;) {
    try {
      return await look();
    } catch (error) {
      const waitedMs = performance.now() - begun;
      // A limit that is over may have been set while the machine was faster than it is now.
      if (waitedMs > withinMs * patience) patience = Math.max(patience, patienceNow({ measured: true }));
      if (waitedMs > withinMs * patience) throw error;
    }
    await delay(pauseMs);
  }
}

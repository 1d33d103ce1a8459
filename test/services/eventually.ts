/**
 * Tries again and again until a check passes. When the time is over, it fails with the last reason. The time is longer where
 * the machine is slower, also when it has become slower since the test began.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { patienceNow } from './patience.js';

/** A look may take some milliseconds of CPU in several processes: after some seconds there are fewer of them. */
const pauseMs = { least: 25, most: 100, partOfWait: 0.02 };

interface Wait {
  withinMs: number;
  /** What is waited for may be over in a moment: looks stay as frequent as at the beginning. */
  isBrief?: boolean;
}

export async function eventually<T>(look: () => T | Promise<T>, { withinMs, isBrief = false }: Wait): Promise<T> {
  const begun = performance.now();
  let patience = patienceNow();
  for (;;) {
    let waitedMs: number;
    try {
      return await look();
    } catch (error) {
      waitedMs = performance.now() - begun;
      // A limit that is over may have been set while the machine was faster than it is now.
      if (waitedMs > withinMs * patience) patience = Math.max(patience, patienceNow({ measured: true }));
      if (waitedMs > withinMs * patience) throw error;
    }
    const most = isBrief ? pauseMs.least : pauseMs.most;
    await delay(Math.min(most, Math.max(pauseMs.least, waitedMs * pauseMs.partOfWait)));
  }
}

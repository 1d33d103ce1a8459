/**
 * Tries again and again until a check passes. When the time is over, it fails with the last reason. The time is longer where
 * the machine is slower.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { patience } from './patience.js';

const pauseMs = 25;

export async function eventually<T>(look: () => T | Promise<T>, { withinMs }: { withinMs: number }): Promise<T> {
  const deadline = performance.now() + withinMs * patience;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await delay(pauseMs);
  }
}

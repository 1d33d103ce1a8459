/**
 * Waits until something becomes true: it looks again and again. When the time is over it fails with the last reason. The
 * time is longer on a slower machine.
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

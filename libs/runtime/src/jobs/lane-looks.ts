/**
 * Tells the workers of a process when a job of their lane may be leased. Those that ask at about the same time share one statement, which
 * begins after each of them has asked.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { KnownJobs, Lane } from './known-jobs.js';

/** Timers that end together are called within this time. */
const gatherMs = 20;

export class LaneLooks {
  private gathering: { lanes: Lane[]; found: Promise<number[]> } | undefined;

  constructor(private readonly jobs: Pick<KnownJobs, 'nextInMs'>) {}

  /** @returns what `KnownJobs.nextInMs` says of the lane */
  async nextInMs(lane: Lane): Promise<number> {
    this.gathering ??= this.gather();
    const { lanes, found } = this.gathering;
    const place = lanes.push(lane) - 1;
    return (await found)[place] ?? Number.POSITIVE_INFINITY;
  }

  private gather(): { lanes: Lane[]; found: Promise<number[]> } {
    const lanes: Lane[] = [];
    const look = async () => {
      await delay(gatherMs);
      this.gathering = undefined;
      return this.jobs.nextInMs(lanes);
    };
    return { lanes, found: look() };
  }
}

/**
 * Ends the waiting for a vault whose file system hangs. Nothing can cancel such an operation, and it keeps a thread of the
 * process until it comes back. As long as one hangs, the process begins no other in that region.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@strongroom/runtime';
import { VaultFault } from '@strongroom/vault';

/** Called whenever bytes have moved. */
type Moved = () => void;

/** How long an operation that is told to end may take before it counts as hanging. */
const graceMs = 5_000;

export class StallWatch {
  /** How many operations hang, by region. */
  private readonly hanging = new Map<string, number>();

  constructor(
    private readonly limitMs: number,
    private readonly log: Logger,
  ) {}

  /**
   * Runs an operation on a region's vault.
   * @throws {VaultFault} `vault-unavailable` when nothing has moved for the limit, or an earlier operation hangs; the
   *   signal's reason when it is aborted
   */
  async over<T>(
    region: string,
    signal: AbortSignal,
    operation: (signal: AbortSignal, moved: Moved) => Promise<T>,
  ): Promise<T> {
    if (this.hanging.has(region)) throw this.stalled(region, 'an earlier operation has not come back yet');
    const stall = new AbortController();
    const ends = AbortSignal.any([signal, stall.signal]);
    const why = `nothing has moved for ${this.limitMs / 1_000} s`;
    const watch = setTimeout(() => stall.abort(this.stalled(region, why)), this.limitMs);
    const outcome = operation(ends, () => void watch.refresh()).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    try {
      const ended = await Promise.race([outcome, graceAfter(ends)]);
      if (ended === undefined) {
        this.hangs(region, outcome);
        throw ends.reason;
      }
      if ('error' in ended) throw ended.error;
      return ended.value;
    } finally {
      clearTimeout(watch);
    }
  }

  private hangs(region: string, outcome: Promise<unknown>): void {
    this.count(region, 1);
    this.log.error({ region }, `the vault of ${region} hangs: nothing is begun there until it comes back`);
    void outcome.then(() => {
      this.count(region, -1);
      this.log.info({ region }, `the vault of ${region} has come back`);
    });
  }

  private count(region: string, by: number): void {
    const hanging = (this.hanging.get(region) ?? 0) + by;
    if (hanging > 0) this.hanging.set(region, hanging);
    else this.hanging.delete(region);
  }

  private stalled(region: string, why: string): VaultFault {
    const message = `The vault of ${region} hangs: ${why}. See that its file system answers, and that of the region copied from.`;
    return new VaultFault('vault-unavailable', region, message);
  }
}

async function graceAfter(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await delay(graceMs, undefined, { ref: false });
}

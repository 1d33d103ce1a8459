/**
 * Tells the slot loop of this process of timers that it has set itself and that ring soon. The loop sleeps until the next timer that it
 * has seen; a timer that is set meanwhile is not among those. A timer that rings later is seen by one of the looks in between.
 */

/** Any timer that rings later is seen in time: the loop looks more often than that. */
const soonMs = 15_000;
/** How long the transaction may take that sets the timer. */
const settlesMs = 2_000;
/** How often the loop looks for a timer whose time has come and that is not there yet. */
const againMs = 100;

export class SlotAlarm {
  private wake = (): void => {};
  private rings: { atMs: number; untilMs: number } | undefined;

  /** @param wake is called when a timer was set that the loop may not know */
  onSet(wake: () => void): void {
    this.wake = wake;
  }

  /** A timer is set in a transaction that is still open. */
  set(slotAt: Date, nowMs = Date.now()): void {
    const atMs = slotAt.getTime();
    if (atMs - nowMs > soonMs || (this.rings && this.rings.atMs <= atMs && this.rings.untilMs > nowMs + settlesMs))
      return;
    this.rings = { atMs, untilMs: Math.max(atMs, nowMs) + settlesMs };
    this.wake();
  }

  /** In how many milliseconds the loop has to look; infinite when nothing is to come that it may not know. */
  inMs(nowMs = Date.now()): number {
    if (!this.rings) return Number.POSITIVE_INFINITY;
    if (nowMs < this.rings.atMs) return this.rings.atMs - nowMs;
    if (nowMs < this.rings.untilMs) return againMs;
    this.rings = undefined;
    return Number.POSITIVE_INFINITY;
  }
}

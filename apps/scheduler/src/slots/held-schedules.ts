/** Schedules whose slots this process leaves for a while, because it can't judge them now. Others go on meanwhile. */

/** How long a schedule is left whose history or timer can't be read, or that waits for the clocks to agree. */
const heldMs = 60_000;

export class HeldSchedules {
  private readonly until = new Map<string, number>();

  hold(scheduleId: string, ms = heldMs): void {
    this.until.set(scheduleId, performance.now() + ms);
  }

  /** The ids of those that are left now. */
  now(): string[] {
    for (const [scheduleId, until] of this.until) if (until <= performance.now()) this.until.delete(scheduleId);
    return [...this.until.keys()];
  }

  /** In how many milliseconds the first of them is left no longer; infinite when there is none. */
  endsInMs(): number {
    return Math.max(0, Math.min(...this.until.values()) - performance.now());
  }
}

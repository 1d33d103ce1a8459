/**
 * The time that slots are judged by. Two clocks, the database's and the process's own, are compared with the time since the
 * host was booted. Nobody can set that time, and it goes on while the host sleeps. So a clock that is wrong for a while makes
 * no slot come early or pass.
 *
 * - While both clocks agree with the steady time, it follows them slowly.
 * - When one clock jumps away, the steady time goes on.
 * - When both jump together, as on one host, the earlier time counts and no slot is called missed. This lasts as long as the
 *   jump is wide, and at most half the catch-up window. Then the new time is believed. But while another host, whose own
 *   clock did not jump, tells the steady time too, the steady time goes on.
 * - A start that knows no earlier time, while the clocks disagree, goes by the earlier of them, and by the database's after
 *   half the window.
 */

export interface ClockTimes {
  /** Milliseconds since 1970. */
  databaseMs: number;
  processMs: number;
  /** Milliseconds since the host was booted. */
  uptimeMs: number;
  /** The times of schedulers on other hosts that are sure of theirs. */
  othersMs?: readonly number[];
}

/** What an earlier process has written down. */
export interface Known {
  /** When the host was booted, by the steady time; undefined after another boot. */
  bootedAtMs?: number | undefined;
  /** The latest time that was seen. */
  seenAtMs?: number | undefined;
}

export interface SteadyReading {
  nowMs: number;
  /** Whether the time is in doubt: no slot may be called missed then. */
  isInDoubt: boolean;
  /** How long the time was in doubt lately. A slot may be late by this much more. */
  doubtMs: number;
  /** How far the worse of the two clocks is from the steady time. */
  disagreementMs: number;
  /** What is wrong, in words for people. */
  problem: 'none' | 'database-clock' | 'process-clock' | 'both-wrong' | 'both-jumped' | 'clocks-disagree';
}

/** Two clocks that NTP keeps never differ by this much. */
export const toleranceMs = 30_000;
/** How fast the steady time follows two clocks and one clock, as a part of the time that has passed. */
const slewOfTwo = 0.05;
const slewOfOne = 0.000_2;

export class SteadyTime {
  private bootedAtMs: number | undefined;
  private seenAtMs: number;
  private jump: { toMs: number; since: number; forMs: number } | undefined;
  private startedAt: number | undefined;
  private last: { uptimeMs: number; isInDoubt: boolean } | undefined;
  private doubt = { ms: 0, endedAt: 0 };

  constructor(
    private readonly catchUpMs: number,
    { bootedAtMs, seenAtMs = 0 }: Known = {},
  ) {
    this.bootedAtMs = bootedAtMs;
    this.seenAtMs = seenAtMs;
  }

  /** What is written down for a later process of the same boot. */
  get known(): Required<Known> {
    return { bootedAtMs: this.bootedAtMs, seenAtMs: this.seenAtMs };
  }

  read(times: ClockTimes): SteadyReading {
    const { uptimeMs, othersMs = [] } = times;
    const others = othersMs.map((otherMs) => otherMs - uptimeMs);
    const judged = this.judge(times.databaseMs - uptimeMs, times.processMs - uptimeMs, uptimeMs, others);
    const { isInDoubt } = judged;
    this.countDoubt(uptimeMs, isInDoubt);
    const nowMs = uptimeMs + judged.bootedAtMs;
    // A host that relies on what another tells does not tell it on: two of them would hold each other up for ever.
    if (!isInDoubt && judged.problem !== 'both-wrong') this.seenAtMs = Math.max(this.seenAtMs, nowMs);
    const disagreementMs = Math.max(Math.abs(times.databaseMs - nowMs), Math.abs(times.processMs - nowMs));
    return { nowMs, isInDoubt, doubtMs: this.doubt.ms, disagreementMs, problem: judged.problem };
  }

  /** @param database when the host was booted by the database's clock; `process` is the same by the process's own */
  private judge(
    database: number,
    process: number,
    uptimeMs: number,
    others: readonly number[],
  ): { bootedAtMs: number } & Pick<SteadyReading, 'isInDoubt' | 'problem'> {
    const steady = this.bootedAtMs;
    if (steady === undefined) return this.begin(database, process, uptimeMs);
    const sayDatabase = isNear(database, steady);
    const sayProcess = isNear(process, steady);
    if (sayDatabase && sayProcess) {
      this.jump = undefined;
      return { bootedAtMs: this.follow(database, slewOfTwo, uptimeMs), isInDoubt: false, problem: 'none' };
    }
    if (sayDatabase || sayProcess) {
      this.jump = undefined;
      const bootedAtMs = this.follow(sayDatabase ? database : process, slewOfOne, uptimeMs);
      return { bootedAtMs, isInDoubt: false, problem: sayDatabase ? 'process-clock' : 'database-clock' };
    }
    if (!isNear(database, process)) {
      this.jump = undefined;
      return { bootedAtMs: steady, isInDoubt: true, problem: 'clocks-disagree' };
    }
    if (others.some((other) => Math.abs(other - steady) <= 2 * toleranceMs)) {
      this.jump = undefined;
      return { bootedAtMs: steady, isInDoubt: false, problem: 'both-wrong' };
    }
    if (!this.jump || !isNear(this.jump.toMs, database)) {
      const forMs = Math.min(Math.abs(database - steady), this.catchUpMs / 2);
      this.jump = { toMs: database, since: uptimeMs, forMs };
    }
    if (uptimeMs - this.jump.since < this.jump.forMs) {
      return { bootedAtMs: Math.min(steady, database), isInDoubt: true, problem: 'both-jumped' };
    }
    return this.believe(database, uptimeMs);
  }

  /** The first reading, when no earlier time is known. */
  private begin(database: number, process: number, uptimeMs: number) {
    this.startedAt ??= uptimeMs;
    const wentBackMs = this.seenAtMs - (uptimeMs + database);
    const waitMs = isNear(database, process)
      ? wentBackMs > toleranceMs
        ? Math.min(wentBackMs, this.catchUpMs / 2)
        : 0
      : this.catchUpMs / 2;
    if (uptimeMs - this.startedAt >= waitMs) return this.believe(database, uptimeMs);
    const problem = isNear(database, process) ? ('both-jumped' as const) : ('clocks-disagree' as const);
    return { bootedAtMs: Math.min(database, process), isInDoubt: true, problem };
  }

  private believe(database: number, uptimeMs: number) {
    this.bootedAtMs = database;
    // The time that was believed before was wrong, and so was the latest time that was seen by it.
    this.seenAtMs = uptimeMs + database;
    this.jump = undefined;
    return { bootedAtMs: database, isInDoubt: false, problem: 'none' as const };
  }

  private follow(clock: number, rate: number, uptimeMs: number): number {
    const most = Math.max(0, uptimeMs - (this.last?.uptimeMs ?? uptimeMs)) * rate;
    const steady = this.bootedAtMs ?? clock;
    this.bootedAtMs = steady + Math.max(-most, Math.min(most, clock - steady));
    return this.bootedAtMs;
  }

  /** Doubt is forgotten when a catch-up window has passed since: no slot that is still to be judged fell into it. */
  private countDoubt(uptimeMs: number, isInDoubt: boolean): void {
    const passedMs = Math.max(0, uptimeMs - (this.last?.uptimeMs ?? uptimeMs));
    if (isInDoubt || this.last?.isInDoubt) this.doubt = { ms: this.doubt.ms + passedMs, endedAt: uptimeMs };
    else if (uptimeMs - this.doubt.endedAt > this.catchUpMs + this.doubt.ms) this.doubt.ms = 0;
    this.last = { uptimeMs, isInDoubt };
  }
}

function isNear(one: number, other: number): boolean {
  return Math.abs(one - other) <= toleranceMs;
}

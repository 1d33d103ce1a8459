/**
 * Ends the waiting for a vault that hangs, or that gives or takes a little now and then. Nothing can cancel an operation of a file
 * system: it keeps one of Node's threads until it comes back. Until then the vault is probed before anything else is begun there, and
 * nothing is begun on the same backup.
 */
import type { Logger } from '@strongroom/runtime';
import { ofProcess, type Passage, type Traffic } from './flow/traffic.js';
import type { Vault } from './vault.js';
import { VaultFault } from './vault-fault.js';

export interface WatchOptions {
  /** For how long nothing may move before an operation counts as hanging, in milliseconds. Default: ten minutes. */
  limitMs?: number | undefined;
  /** How long an operation that is told to end may take before it counts as hanging. Default: five seconds. */
  graceMs?: number | undefined;
  /** What a vault must give or take in a second, as the average over `limitMs` of waiting for it. Default: nothing. */
  leastBytesPerSecond?: number | undefined;
  /** What stays free on its disk. Default: nothing has to. */
  reserveBytes?: number | undefined;
  /** What counts and limits that which passes. Default: nothing does. */
  traffic?: Traffic | undefined;
  log?: Pick<Logger, 'error' | 'info'> | undefined;
}

/** What is to be done in the vault. */
export interface Doing {
  /** Such as `read base.tar.zst of backup 91ae…`. */
  what: string;
  /** The backup that it is about. */
  backupId?: string;
  isProbe?: boolean;
  /** Default: the limit of the watch, when that is longer. */
  limitMs?: number;
  signals: readonly (AbortSignal | undefined)[];
}

const usualLimitMs = 600_000;
const usualGraceMs = 5_000;
/** What only looks at the vault. */
const probeMs = 10_000;

export class VaultWatch {
  readonly region: string;
  readonly limitMs: number;
  readonly graceMs: number;
  readonly leastBytesPerSecond: number;
  readonly reserveBytes: number;
  readonly traffic: Traffic | undefined;
  /** What was given up and has not come back. */
  private readonly hanging = new Set<Doing>();
  private proving: Promise<void> | undefined;
  /** The limits that everything in this vault is under. */
  readonly scopes: readonly string[];

  constructor(
    private readonly vault: Vault,
    private readonly options: WatchOptions = {},
  ) {
    this.region = vault.region;
    this.limitMs = options.limitMs ?? usualLimitMs;
    this.graceMs = options.graceMs ?? usualGraceMs;
    this.leastBytesPerSecond = options.leastBytesPerSecond ?? 0;
    this.reserveBytes = options.reserveBytes ?? 0;
    this.traffic = options.traffic;
    this.scopes = [this.region, ofProcess];
  }

  /** @throws {VaultFault} `vault-unavailable` when the vault hangs; the signal's reason when one is aborted */
  async begin(doing: Doing): Promise<Operation> {
    for (const signal of doing.signals) signal?.throwIfAborted();
    if (this.hanging.size > 0) await this.refuseWhileHanging(doing);
    return new Operation(this, doing, Math.min(doing.limitMs ?? this.limitMs, this.limitMs));
  }

  /** Runs an operation that tells whenever something has moved. @throws as `begin`, or as the operation does */
  async over<T>(doing: Doing, run: (operation: Operation) => Promise<T>): Promise<T> {
    const operation = await this.begin(doing);
    try {
      return await operation.until(run(operation));
    } finally {
      operation.end();
    }
  }

  /** Checks cheaply whether the vault answers. One probe runs at a time. */
  probe(): Promise<void> {
    this.proving ??= this.over({ what: 'answer', isProbe: true, limitMs: probeMs, signals: [] }, ({ signal }) =>
      this.vault.under(signal).probe(),
    ).finally(() => {
      this.proving = undefined;
    });
    return this.proving;
  }

  hangs(doing: Doing, pending: Promise<unknown>): void {
    const { region } = this;
    this.hanging.add(doing);
    this.options.log?.error({ region }, `the vault of ${region} hangs: it could not ${doing.what}`);
    const back = () => {
      this.hanging.delete(doing);
      if (this.hanging.size === 0) this.options.log?.info({ region }, `the vault of ${region} has come back`);
    };
    void pending.then(back, back);
  }

  stalled({ what }: Doing, ms: number): VaultFault {
    return this.fault(`it was to ${what}, and nothing has moved for ${ms / 1_000} s`);
  }

  tooSlow({ what }: Doing, bytesPerSecond: number): VaultFault {
    const seconds = this.limitMs / 1_000;
    const message = `The vault of ${this.region} is too slow: it was to ${what}, and moved ${Math.round(bytesPerSecond)} bytes a second over ${seconds} s; it must move ${this.leastBytesPerSecond} (STRONGROOM_VAULT_LEAST_KIB_PER_SECOND). See whether its disk or the network is slow.`;
    return new VaultFault('vault-unavailable', this.region, message);
  }

  private async refuseWhileHanging({ what, backupId, isProbe }: Doing): Promise<void> {
    for (const doing of this.hanging) {
      const isTheSame = doing.what === what || (backupId !== undefined && doing.backupId === backupId);
      if (isTheSame || doing.isProbe) throw this.fault(`it was to ${doing.what}, and that has not come back yet`);
    }
    // Only what hangs may be in trouble: the others go on while the vault answers.
    if (!isProbe) await this.probe();
  }

  private fault(why: string): VaultFault {
    const message = `The vault of ${this.region} hangs: ${why}. See that its file system answers.`;
    return new VaultFault('vault-unavailable', this.region, message);
  }
}

/** One operation on a vault, from its beginning to its end. */
export class Operation {
  private readonly ending = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private grace: NodeJS.Timeout | undefined;
  private isPaused = false;
  /** So many parts of the operation wait because of a limit. */
  private held = 0;
  private pending: Promise<unknown> = Promise.resolve();
  private reject: ((reason: unknown) => void) | undefined;
  private failure: { reason: unknown } | undefined;
  /** What has moved, and how long the vault was waited for, since the last average. */
  private movedBytes = 0;
  private waitedMs = 0;
  private waitingSince = performance.now();

  constructor(
    private readonly watch: VaultWatch,
    private readonly doing: Doing,
    private readonly limitMs: number,
  ) {
    this.timer = setTimeout(() => this.expire(), limitMs);
    for (const signal of doing.signals) signal?.addEventListener('abort', this.abort, { once: true });
    this.abort();
  }

  /** Aborted when the operation is to end. */
  get signal(): AbortSignal {
    return this.ending.signal;
  }

  /** Whether the operation was given up. It may still come back. */
  get isGivenUp(): boolean {
    return this.failure !== undefined;
  }

  /** So many bytes have moved in the vault. The operation is to end when they were too few. */
  readonly moved = (bytes: number): void => {
    this.timer.refresh();
    this.movedBytes += bytes;
    this.count();
    if (this.waitedMs < this.watch.limitMs) return;
    const bytesPerSecond = this.movedBytes / (this.waitedMs / 1_000);
    this.movedBytes = 0;
    this.waitedMs = 0;
    if (bytesPerSecond < this.watch.leastBytesPerSecond) this.stop(this.watch.tooSlow(this.doing, bytesPerSecond));
  };

  /**
   * Waits until bytes that were read or are to be written are within the limits. Meanwhile the vault is not waited for.
   * @returns undefined when they are
   */
  passes(bytes: number, direction: 'read' | 'written'): Promise<void> | undefined {
    const { traffic, scopes } = this.watch;
    traffic?.moved(this.watch.region, direction, bytes);
    const passage: Passage = { scopes, by: this, signal: this.signal };
    const wait = traffic?.pass(bytes, passage);
    return wait && this.heldBy(wait);
  }

  /** Waits for somebody else than the vault. */
  async heldBy(wait: Promise<unknown>): Promise<void> {
    this.count();
    this.held += 1;
    try {
      await wait;
    } finally {
      this.count();
      this.held -= 1;
      this.timer.refresh();
    }
  }

  /** From now on somebody else is waited for than the vault. */
  pause(): void {
    this.count();
    this.isPaused = true;
  }

  resume(): void {
    this.count();
    this.isPaused = false;
    this.timer.refresh();
  }

  /** Waits for a part of the operation. @throws when the operation is given up */
  until<T>(pending: Promise<T>): Promise<T> {
    this.pending = pending;
    return new Promise((resolve, reject) => {
      this.reject = reject;
      if (this.failure) reject(this.failure.reason);
      pending.then(resolve, reject);
    });
  }

  end(): void {
    clearTimeout(this.timer);
    clearTimeout(this.grace);
    for (const signal of this.doing.signals) signal?.removeEventListener('abort', this.abort);
  }

  private readonly abort = (): void => {
    const aborted = this.doing.signals.find((signal) => signal?.aborted);
    if (aborted) this.stop(aborted.reason);
  };

  private count(): void {
    const now = performance.now();
    if (this.isAwaited) this.waitedMs += now - this.waitingSince;
    this.waitingSince = now;
  }

  private get isAwaited(): boolean {
    return !this.isPaused && this.held === 0;
  }

  private expire(): void {
    if (this.isAwaited) this.stop(this.watch.stalled(this.doing, this.limitMs));
  }

  private stop(reason: unknown): void {
    if (this.ending.signal.aborted) return;
    this.ending.abort(reason);
    this.grace = setTimeout(() => this.giveUp(reason), this.watch.graceMs);
  }

  private giveUp(reason: unknown): void {
    this.failure = { reason };
    if (this.isAwaited) this.watch.hangs(this.doing, this.pending);
    this.reject?.(reason);
  }
}

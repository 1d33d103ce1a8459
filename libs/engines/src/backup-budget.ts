/**
 * Keeps a backup within what the operator allows: how long it takes, how slowly its server may send, and how much it is. A server
 * that drips or never ends would hold a runner, and fill the vault of everybody. What the vault is slow at does not count.
 */
import { afterMs } from '@strongroom/runtime/light';
import { EngineFault } from './engine-fault.js';

export interface BackupLimits {
  /** How long a backup may take until its server has sent everything, in milliseconds. */
  longestMs: number;
  /** How long a server may take before it begins to send, in milliseconds. */
  longestStartMs: number;
  /** What a server must send in a second on the average, while it is waited for; 0 for no least. */
  leastBytesPerSecond: number;
  /** Over how much waiting for the server the average is taken, in milliseconds. */
  averageMs: number;
  /** The size of the largest backup, in bytes, before it is compressed. */
  mostBytes: number;
  /** How many times its own estimate a server may send. The estimate is without its log of changes. */
  timesEstimate: number;
  /** What a server may send in any case, in bytes, whatever it has estimated. */
  leastAllowedBytes: number;
}

const gibibyte = 1_073_741_824;

export const usualLimits: BackupLimits = {
  longestMs: 48 * 3_600_000,
  longestStartMs: 7_200_000,
  leastBytesPerSecond: 16_384,
  averageMs: 300_000,
  mostBytes: 16_384 * gibibyte,
  timesEstimate: 4,
  leastAllowedBytes: 64 * gibibyte,
};

const mostLooksMs = 1_000;

export class BackupBudget {
  private readonly ending = new AbortController();
  private readonly stops: (() => void)[] = [];
  /** Stops the waiting for the beginning. */
  private readonly hasBegun: () => void;
  private allowedBytes: number;
  private doneBytes = 0;
  /** When the server was asked for what it has not sent yet. */
  private waitingSince: number | undefined;
  /** How long it was waited for, and what it has sent, since the last average. */
  private waitedMs = 0;
  private sentBytes = 0;

  constructor(
    private readonly limits: BackupLimits,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.allowedBytes = limits.mostBytes;
    this.hasBegun = afterMs(limits.longestStartMs, () => this.end(neverBegun(limits.longestStartMs)));
    this.stops.push(
      this.hasBegun,
      afterMs(limits.longestMs, () => this.end(tooLong(limits.longestMs))),
    );
  }

  /** Aborted with the fault when the backup goes beyond a limit. */
  get signal(): AbortSignal {
    return this.ending.signal;
  }

  /** The fault, when the backup went beyond a limit. */
  get fault(): EngineFault | undefined {
    const { reason } = this.ending.signal;
    return reason instanceof EngineFault ? reason : undefined;
  }

  /** Called when the server begins to send. @throws {EngineFault} when it has more than a backup may be */
  begun(estimatedBytes: number | null): void {
    this.hasBegun();
    const { mostBytes, timesEstimate, leastAllowedBytes, averageMs } = this.limits;
    if (estimatedBytes !== null) {
      if (estimatedBytes > mostBytes) throw this.end(tooLarge(estimatedBytes, mostBytes));
      this.allowedBytes = Math.min(mostBytes, Math.max(leastAllowedBytes, estimatedBytes * timesEstimate));
    }
    const look = setInterval(() => this.average(), Math.min(averageMs / 2, mostLooksMs));
    this.stops.push(() => clearInterval(look));
  }

  /** Passes on what the server sends, and counts it. @throws {EngineFault} */
  async *counted(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of this.awaited(source)) {
      this.count(chunk.length);
      yield chunk;
    }
  }

  /** Passes on what comes of the server. As long as somebody waits for the next, the server is waited for. */
  async *awaited<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
    const items = source[Symbol.asyncIterator]();
    try {
      for (;;) {
        this.waitingSince = this.now();
        const next = await items.next();
        this.pause();
        if (next.done) return;
        yield next.value;
      }
    } finally {
      this.pause();
      await items.return?.();
    }
  }

  /** The time of the backup is over: its server has sent everything, or it has failed. */
  close(): void {
    for (const stop of this.stops) stop();
  }

  private count(bytes: number): void {
    this.sentBytes += bytes;
    this.doneBytes += bytes;
    if (this.doneBytes > this.allowedBytes) throw this.end(tooMuch(this.allowedBytes, this.limits));
  }

  private pause(): void {
    if (this.waitingSince !== undefined) this.waitedMs += this.now() - this.waitingSince;
    this.waitingSince = undefined;
  }

  private average(): void {
    const isWaiting = this.waitingSince !== undefined;
    this.pause();
    if (isWaiting) this.waitingSince = this.now();
    const { averageMs, leastBytesPerSecond } = this.limits;
    if (this.waitedMs < averageMs) return;
    const bytesPerSecond = this.sentBytes / (this.waitedMs / 1_000);
    if (bytesPerSecond < leastBytesPerSecond) this.end(tooSlow(bytesPerSecond, this.waitedMs, leastBytesPerSecond));
    this.waitedMs = 0;
    this.sentBytes = 0;
  }

  private end(fault: EngineFault): EngineFault {
    this.ending.abort(fault);
    return fault;
  }
}

function tooLong(ms: number): EngineFault {
  return new EngineFault(
    'backup-limit-reached',
    `The backup was not there after ${hours(ms)}, which is the longest that one may take (STRONGROOM_BACKUP_LONGEST_HOURS).`,
  );
}

function neverBegun(ms: number): EngineFault {
  return new EngineFault(
    'server-stalled',
    `The server did not begin to send within ${hours(ms)}; the backup is given up.`,
  );
}

function tooSlow(bytesPerSecond: number, ms: number, least: number): EngineFault {
  return new EngineFault(
    'server-stalled',
    `The server sent ${Math.round(bytesPerSecond)} bytes a second over ${Math.round(ms / 1_000)} s, and must send ${least} (STRONGROOM_BACKUP_LEAST_KIB_PER_SECOND); the backup is given up. See whether the server or the network is slow.`,
  );
}

function tooLarge(bytes: number, most: number): EngineFault {
  return new EngineFault(
    'backup-limit-reached',
    `The server says that it has ${gigabytes(bytes)}, and a backup may have ${gigabytes(most)} (STRONGROOM_BACKUP_MOST_GIB).`,
  );
}

function tooMuch(allowed: number, { mostBytes, timesEstimate }: BackupLimits): EngineFault {
  const limit =
    allowed === mostBytes
      ? 'which is the most that a backup may have (STRONGROOM_BACKUP_MOST_GIB)'
      : `which is ${timesEstimate} times as much as it had estimated (STRONGROOM_BACKUP_TIMES_ESTIMATE)`;
  return new EngineFault('backup-limit-reached', `The server sent more than ${gigabytes(allowed)}, ${limit}.`);
}

function hours(ms: number): string {
  return ms < 3_600_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 360_000) / 10} h`;
}

function gigabytes(bytes: number): string {
  return bytes < gibibyte ? `${bytes} bytes` : `${Math.round(bytes / (gibibyte / 10)) / 10} GiB`;
}

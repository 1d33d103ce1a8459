/**
 * Tells a child that is slow from one that hangs. A child moves as long as it writes or computes, so that a start on a slow
 * machine or over a slow line is never cut off at a fixed time.
 */
import { statSync } from 'node:fs';
import { descendantsOf, readOfProcess } from './process-tree.js';

export interface Watched {
  /** The child; its own children count too. */
  pid: number;
  /** The file that it writes its log to. */
  logFile?: string;
}

/** A machine that slept, or was itself held up, counts no longer than this for one look. */
const mostOfOneLookMs = 1_000;
/** An idle process uses less in the whole of a silence, because it only looks at its timers. */
const leastCpuSeconds = 0.5;
/** The threads of an idle process wake each other by writing a few bytes. */
const leastWritten = 65_536;
const ticksPerSecond = 100;
const hasProc = statSync('/proc/self/stat', { throwIfNoEntry: false }) !== undefined;

export class Movement {
  private stillMs = 0;
  private lookedAt = performance.now();
  private used = { logSize: 0, cpuSeconds: 0, written: 0 };

  /** @param longestStillMs how long the child may neither write nor compute before it counts as hung */
  constructor(
    private readonly watched: Watched,
    readonly longestStillMs = 120_000,
  ) {
    this.look();
  }

  /** Something else showed that the child moves, such as an answer that says that it is starting. */
  moved(): void {
    this.stillMs = 0;
  }

  /** Looks again. @returns whether the child has been still for too long */
  isStill(): boolean {
    this.stillMs += Math.min(performance.now() - this.lookedAt, mostOfOneLookMs);
    if (this.look()) this.stillMs = 0;
    return this.stillMs > this.longestStillMs;
  }

  /** @returns whether the child has moved since the last movement */
  private look(): boolean {
    this.lookedAt = performance.now();
    const { pid, logFile } = this.watched;
    const logSize = (logFile && statSync(logFile, { throwIfNoEntry: false })?.size) || 0;
    const { cpuSeconds, written } = usageOf(pid);
    const before = this.used;
    const moved =
      logSize !== before.logSize ||
      written - before.written >= leastWritten ||
      cpuSeconds - before.cpuSeconds >= leastCpuSeconds;
    // What is used counts from the last movement, so that many small uses add up to one. It gets less when a child ends.
    const isLess = cpuSeconds < before.cpuSeconds || written < before.written;
    if (moved || isLess) this.used = { logSize, cpuSeconds, written };
    return moved;
  }
}

/**
 * What a process and its children have used so far: seconds of the processor, and bytes that they have written to files and
 * connections. Where the operating system does not tell, both are 0.
 */
export function usageOf(pid: number): { cpuSeconds: number; written: number } {
  const used = { cpuSeconds: 0, written: 0 };
  if (!hasProc) return used;
  for (const each of [pid, ...descendantsOf(pid)]) {
    const stat = readOfProcess(each, 'stat');
    // The name is in parentheses, and may hold spaces. The fields 14 to 17 are the times of the process and of its ended children.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + (Number(field) || 0), 0);
    used.cpuSeconds += ticks / ticksPerSecond;
    used.written += Number(/^wchar: (\d+)$/m.exec(readOfProcess(each, 'io'))?.[1] ?? 0);
  }
  return used;
}

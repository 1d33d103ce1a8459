/**
 * Where the lines of the log go: to standard output, those of a few milliseconds in one write. A line that warns, and each before
 * it, is written at once: it may tell why the process dies. So is whatever waits when the process exits.
 */
import { type DestinationStream, destination } from 'pino';

/** Pino tells the level of each line to a destination that has this. */
const needsLevel = Symbol.for('pino.metadata');
const levelOfWarnings = 40;

/** A write costs as much as a hundred lines do. Nobody who reads a log sees this delay, in milliseconds. */
const waitMs = 5;

/** The timer keeps no process alive: what waits is written when the process exits. */
const afterAWhile = (flush: () => void) => void setTimeout(flush, waitMs).unref();

export class LogLines implements DestinationStream {
  readonly [needsLevel] = true;
  /** Set by pino before each line. */
  lastLevel = 0;
  private waiting = '';

  /**
   * @param to writes before it returns
   * @param later calls what writes the lines that wait. Default: after a few milliseconds
   */
  constructor(
    private readonly to: DestinationStream,
    private readonly later: (flush: () => void) => void = afterAWhile,
  ) {}

  write(line: string): void {
    if (this.waiting === '') this.later(() => this.flush());
    this.waiting += line;
    if (this.lastLevel >= levelOfWarnings) this.flush();
  }

  flush(): void {
    const lines = this.waiting;
    this.waiting = '';
    if (lines !== '') this.to.write(lines);
  }
}

let standardOutput: LogLines | undefined;

/** The one destination of all loggers of the process. */
export function linesToStandardOutput(): LogLines {
  if (standardOutput) return standardOutput;
  const lines = new LogLines(destination({ fd: 1, sync: true }));
  process.on('exit', () => lines.flush());
  standardOutput = lines;
  return lines;
}

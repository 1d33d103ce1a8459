/**
 * Where the lines of the log go: to standard output, those of one turn of the process in one write. A line that warns, and each before
 * it, is written at once: it may tell why the process dies. So is whatever waits when the process exits.
 */
import { type DestinationStream, destination } from 'pino';

/** Pino tells the level of each line to a destination that has this. */
const needsLevel = Symbol.for('pino.metadata');
const levelOfWarnings = 40;

export class LogLines implements DestinationStream {
  readonly [needsLevel] = true;
  /** Set by pino before each line. */
  lastLevel = 0;
  private waiting = '';

  /** @param to writes before it returns */
  constructor(private readonly to: DestinationStream) {}

  write(line: string): void {
    if (this.waiting === '') setImmediate(() => this.flush());
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

/** Shows how far a long command is: on a terminal by one line that is drawn again, elsewhere by a line now and then. */
const redrawMs = 200;
const lineMs = 5_000;

export class Progress {
  private doneBytes = 0;
  private readonly begunAt = performance.now();
  private saidAt = performance.now();

  constructor(
    private readonly what: string,
    private readonly totalBytes: number,
  ) {}

  readonly add = (bytes: number): void => {
    this.doneBytes += bytes;
    if (performance.now() - this.saidAt < (process.stderr.isTTY ? redrawMs : lineMs)) return;
    this.saidAt = performance.now();
    process.stderr.write(process.stderr.isTTY ? `\r${this.line()}\u001b[K` : `${this.line()}\n`);
  };

  /** Removes the line. */
  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  }

  get summary(): string {
    return `${megabytes(this.doneBytes)} in ${this.seconds.toFixed(1)} s`;
  }

  private get seconds(): number {
    return (performance.now() - this.begunAt) / 1_000;
  }

  private line(): string {
    const share = Math.min(100, Math.floor((this.doneBytes / Math.max(1, this.totalBytes)) * 100));
    const rate = megabytes(this.doneBytes / this.seconds);
    const left = ((this.totalBytes - this.doneBytes) / Math.max(1, this.doneBytes)) * this.seconds;
    const until = share < 100 ? `, ${Math.ceil(left)} s left` : '';
    return `${this.what}: ${megabytes(this.doneBytes)} of ${megabytes(this.totalBytes)}, ${share} %, ${rate}/s${until}`;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** How far a long command is: one line that is written over on a terminal, a line now and then elsewhere. */
const redrawMs = 200;
const lineMs = 5_000;

export class Progress {
  private done = 0;
  private readonly begun = performance.now();
  private saidAt = performance.now();

  constructor(
    private readonly what: string,
    private readonly total: number,
  ) {}

  readonly add = (bytes: number): void => {
    this.done += bytes;
    if (performance.now() - this.saidAt < (process.stderr.isTTY ? redrawMs : lineMs)) return;
    this.saidAt = performance.now();
    process.stderr.write(process.stderr.isTTY ? `\r${this.line()}\u001b[K` : `${this.line()}\n`);
  };

  end(): { bytes: number; seconds: number } {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    return { bytes: this.done, seconds: (performance.now() - this.begun) / 1_000 };
  }

  private line(): string {
    const share =
      this.total > 0
        ? ` of ${megabytes(this.total)}, ${Math.min(100, Math.floor((this.done / this.total) * 100))} %`
        : '';
    return `${this.what}: ${megabytes(this.done)}${share}`;
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

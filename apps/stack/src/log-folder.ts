/** A log file for each process. At its limit a file is kept as `.1`, which replaces the one before, and begins anew. */
import {
  copyFileSync,
  createWriteStream,
  mkdirSync,
  readdirSync,
  statSync,
  truncateSync,
  type WriteStream,
} from 'node:fs';
import { join } from 'node:path';

const limitBytes = 10_000_000;
const lookMs = 15_000;

export class LogFolder {
  private readonly timer: NodeJS.Timeout;

  constructor(
    readonly path: string,
    private readonly limit = limitBytes,
  ) {
    mkdirSync(path, { recursive: true });
    this.bound();
    this.timer = setInterval(() => this.bound(), lookMs).unref();
  }

  file(name: string): string {
    return join(this.path, `${name}.log`);
  }

  /** Every writer must append, so that a file that was emptied has no hole at its start. */
  stream(name: string): WriteStream {
    return createWriteStream(this.file(name), { flags: 'a' });
  }

  /**
   * A server holds its log open, so the file is copied and emptied in place. Lines that are written in between are lost:
   * a few at most, once in ten megabytes.
   */
  bound(): void {
    for (const name of readdirSync(this.path).filter((each) => each.endsWith('.log'))) {
      const path = join(this.path, name);
      if (statSync(path).size <= this.limit) continue;
      copyFileSync(path, `${path}.1`);
      truncateSync(path);
    }
  }

  end(): void {
    clearInterval(this.timer);
  }
}

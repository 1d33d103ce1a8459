/** A log file for each process, none of which grows for ever: at its limit it is kept as `.1`, in place of the one before. */
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

  /** Appends, as all who write here must: what is cut off then leaves no hole. */
  stream(name: string): WriteStream {
    return createWriteStream(this.file(name), { flags: 'a' });
  }

  /**
   * Copied and emptied in place, for a server holds its log open. What it writes in between is lost; that is a few lines
   * at most, once in ten megabytes.
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

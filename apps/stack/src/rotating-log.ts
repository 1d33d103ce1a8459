/** A log file that does not grow for ever: at its limit it becomes `.1`, in place of the one before. */
import { createWriteStream, existsSync, renameSync, statSync, type WriteStream } from 'node:fs';
import type { Readable } from 'node:stream';

const limitBytes = 10_000_000;

export class RotatingLog {
  private size: number;
  private file: WriteStream;

  constructor(private readonly path: string) {
    this.size = existsSync(path) ? statSync(path).size : 0;
    this.file = createWriteStream(path, { flags: 'a' });
  }

  take(source: Readable): void {
    source.on('data', (chunk: Buffer) => this.write(chunk));
  }

  private write(chunk: Buffer): void {
    this.size += chunk.length;
    if (this.size > limitBytes) {
      this.file.end();
      renameSync(this.path, `${this.path}.1`);
      this.file = createWriteStream(this.path, { flags: 'a' });
      this.size = chunk.length;
    }
    this.file.write(chunk);
  }
}

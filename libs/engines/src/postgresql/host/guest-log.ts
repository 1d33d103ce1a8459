/**
 * The log of a guest. Whatever the guest writes, it stays short, no more than its end is read, and only the operator can read it. The guest
 * itself has nothing but the end to which it writes.
 */
import { closeSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { stat, truncate } from 'node:fs/promises';
import { printable } from '@strongroom/contracts';
import { whyNotStarted } from './host-settings.js';

const tailBytes = 16_384;
const usualLargestBytes = 8_388_608;

export class GuestLog {
  constructor(
    readonly path: string,
    private readonly largestBytes = usualLargestBytes,
  ) {}

  /** Makes the file. One log before this one is kept; both go with the server. */
  begin(): void {
    if (this.sizeBytes > this.largestBytes) renameSync(this.path, `${this.path}.before`);
    closeSync(openSync(this.path, 'a', 0o600));
  }

  get sizeBytes(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Empties it when it is too long. A server that runs goes on writing at its beginning. */
  async shorten(): Promise<void> {
    if ((await stat(this.path)).size > this.largestBytes) await truncate(this.path);
  }

  /** What it says since a place, for the operator: its end only, however much there is. @param how the server has ended */
  told(from: number, how: string): string {
    return printable(`PostgreSQL ${how}. The end of its log, ${this.path}: ${whyNotStarted(this.tail(from))}`);
  }

  private tail(from: number): string {
    const file = openSync(this.path, 'r');
    try {
      const size = this.sizeBytes;
      const begin = Math.max(size < from ? 0 : from, size - tailBytes);
      const bytes = Buffer.alloc(Math.max(size - begin, 0));
      return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, begin));
    } finally {
      closeSync(file);
    }
  }
}

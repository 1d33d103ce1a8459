/**
 * Writes a row of chunks a mebibyte at a time: the next one is collected while another thread writes the one before. All goes through the same
 * two memories, so a chunk belongs to its owner again when `take` returns, and no memory is left for V8 to look for.
 */
import { type DiskBuffers, diskBuffers } from './disk-buffers.js';
import { stepBytes } from './read-ahead.js';

export class WriteSteps {
  private readonly lent: DiskBuffers | undefined = diskBuffers.take();
  private memories: DiskBuffers = this.lent ?? [Buffer.allocUnsafeSlow(stepBytes), Buffer.allocUnsafeSlow(stepBytes)];
  private length = 0;
  private writing: Promise<void> = Promise.resolve();
  /** How many bytes were taken so far. */
  doneBytes = 0;

  /** Whether a disk can be given its memory past the page cache. */
  get isForDisks(): boolean {
    return this.lent !== undefined;
  }

  /** @param write writes behind what was written before */
  constructor(private readonly write: (bytes: Buffer) => Promise<void>) {}

  /** @throws what `write` throws */
  async take(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.copy(this.memories[0], this.length, at);
      at += taken;
      this.length += taken;
      this.doneBytes += taken;
      if (this.length === this.memories[0].length) await this.step();
    }
  }

  /** Resolves when everything is written. @throws what `write` throws */
  async end(): Promise<void> {
    if (this.length > 0) await this.step();
    await this.writing;
  }

  /** To be called once, in whatever way it ended. Nothing is being written any more when it returns. */
  async close(): Promise<void> {
    await this.writing.catch(() => {});
    if (this.lent) diskBuffers.giveBack(this.lent);
  }

  private async step(): Promise<void> {
    const [full, other] = this.memories;
    await this.writing;
    this.writing = this.write(full.subarray(0, this.length));
    // It is waited for before the next step, or at the end.
    this.writing.catch(() => {});
    this.memories = [other, full];
    this.length = 0;
  }
}

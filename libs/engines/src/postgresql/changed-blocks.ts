/**
 * A file of an incremental backup: which blocks of a relation's file have changed, and what they hold now. Applied in
 * place to the file as the parent left it. Source: PostgreSQL, src/backend/backup/basebackup_incremental.c.
 *
 *     magic, count of blocks, truncation length in blocks: 32 bits each, little-endian
 *     the numbers of the blocks, ascending: 32 bits each; padded with zeros to whole blocks when there are any
 *     the blocks
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { EngineFault } from '../engine-fault.js';
import type { UnpackedFile } from './unpack.js';
import { writeAll } from './write-all.js';

const magic = 0xd3ae1f0d;
const headBytes = 12;
/** Of a relation's file, whose segments have 1 GiB, at the smallest blocks there are. */
const mostBlocks = 1_048_576;

/** `base/5/INCREMENTAL.1259.1` is of `base/5/1259.1`; undefined for a file that is whole. */
export function relationOf(path: string): string | undefined {
  const [, folder, file] = /^((?:base\/\d+|global|pg_tblspc\/\d+\/[^/]+\/\d+)\/)INCREMENTAL\.([^/]+)$/.exec(path) ?? [];
  return folder === undefined ? undefined : `${folder}${file}`;
}

/**
 * @param target the relation's file, which must be there
 * @returns the size and digest of the bytes as they came, as the server's manifest tells them
 * @throws {EngineFault} `backup-content-invalid`; errors of the disk as they are
 */
export async function applyChangedBlocks(
  content: AsyncIterable<unknown>,
  target: string,
  blockSize: number,
  progress?: (bytes: number) => void,
): Promise<Omit<UnpackedFile, 'path'>> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file = await open(target, 'r+').catch((error: unknown) => {
    const isMissing = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
    throw isMissing ? invalid(`there is nothing at ${target} that its changes could be applied to`, error) : error;
  });
  try {
    const patch = new Patch(file, blockSize, target);
    for await (const chunk of content) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError('an archive gave no bytes');
      hash.update(chunk);
      sizeBytes += chunk.length;
      await patch.take(chunk);
      progress?.(chunk.length);
    }
    patch.end();
  } finally {
    await file.close();
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

class Patch {
  private held: Buffer = Buffer.alloc(0);
  private blocks: number[] | undefined;
  /** Of the block in hand: how manieth, and how many of its bytes are written. */
  private at = 0;
  private written = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly blockSize: number,
    private readonly target: string,
  ) {}

  async take(chunk: Buffer): Promise<void> {
    let bytes: Buffer = this.blocks ? chunk : Buffer.concat([this.held, chunk]);
    if (!this.blocks) {
      const head = this.head(bytes);
      if (!head) {
        this.held = bytes;
        return;
      }
      await this.resize(head.blocks, head.truncation);
      this.blocks = head.blocks;
      this.held = Buffer.alloc(0);
      bytes = bytes.subarray(head.length);
    }
    await this.writeBlocks(this.blocks, bytes);
  }

  end(): void {
    if (!this.blocks || this.at < this.blocks.length || this.written > 0)
      throw invalid(`the changes to ${this.target} break off`);
  }

  /** Undefined until all of it has come. */
  private head(bytes: Buffer): { length: number; blocks: number[]; truncation: number } | undefined {
    if (bytes.length < headBytes) return undefined;
    const count = bytes.readUInt32LE(4);
    const truncation = bytes.readUInt32LE(8);
    if (bytes.readUInt32LE(0) !== magic || count > mostBlocks || truncation > mostBlocks)
      throw invalid(`the changes to ${this.target} are of no known form`);
    const listed = headBytes + count * 4;
    const length = count === 0 ? listed : Math.ceil(listed / this.blockSize) * this.blockSize;
    if (bytes.length < length) return undefined;
    const blocks = Array.from({ length: count }, (_, index) => bytes.readUInt32LE(headBytes + index * 4));
    if (blocks.some((block, index) => block >= mostBlocks || block <= (blocks[index - 1] ?? -1))) {
      throw invalid(`the changes to ${this.target} are not in order`);
    }
    return { length, blocks, truncation };
  }

  /** What lies beyond the truncation is of before; what is between it and the last block is zeros. */
  private async resize(blocks: number[], truncation: number): Promise<void> {
    const { size } = await this.file.stat();
    if (size > truncation * this.blockSize) await this.file.truncate(truncation * this.blockSize);
    await this.file.truncate(Math.max(truncation, (blocks.at(-1) ?? -1) + 1) * this.blockSize);
  }

  /** Blocks that follow one another are written as they come. */
  private async writeBlocks(blocks: number[], bytes: Buffer): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      const block = blocks[this.at];
      if (block === undefined) throw invalid(`the changes to ${this.target} do not end where they should`);
      const part = rest.subarray(0, this.blockSize - this.written);
      await writeAll(this.file, part, block * this.blockSize + this.written);
      this.written += part.length;
      if (this.written === this.blockSize) {
        this.at += 1;
        this.written = 0;
      }
      rest = rest.subarray(part.length);
    }
  }
}

function invalid(why: string, cause?: unknown): EngineFault {
  return new EngineFault('backup-content-invalid', `The backup can't be restored: ${why}.`, { cause });
}

/**
 * Applies a file of an incremental backup, in place, to a relation's file as the parent left it. The file says which blocks
 * have changed and what they hold now. Source: PostgreSQL, src/backend/backup/basebackup_incremental.c.
 *
 *     magic, count of blocks, truncation length in blocks: 32 bits each, little-endian
 *     the numbers of the blocks, ascending: 32 bits each; padded with zeros to whole blocks when there are any
 *     the blocks
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { VaultManifest } from '@strongroom/contracts';
import { EngineFault } from '../../engine-fault.js';
import { areSegmentBlocks, blockSizes } from '../server-says.js';
import { type WrittenFile, writeAll } from './write-all.js';

const magic = 0xd3ae1f0d;
const headBytes = 12;
/** No relation, and no file of one, is as long. */
const noBlock = 0xffff_ffff;

export interface BlockSizes {
  /** The size of a block, in bytes. */
  blockSize: number;
  /** How many blocks a relation's file has at most. Further blocks are in the next file. */
  segmentBlocks: number;
}

/** To how many blocks from the file's beginning its relation was cut since the parent. Negative when it was cut before the file. */
export interface BlockLimit {
  /** The truncation length that the server tells. It is the limit only where the file is not longer. */
  said: number;
  /** How many of the parent's blocks count. */
  kept: number;
}

/**
 * @param target the relation's file, which must be there
 * @param name of the file within the backup, for people
 * @param limit how many blocks of the parent's content count; default: only the truncation length says it
 * @returns the size and digest of the bytes as they came, which the server's manifest has too
 * @throws {EngineFault} `backup-content-invalid`; errors of the disk as they are
 */
export async function applyChangedBlocks(
  content: AsyncIterable<unknown>,
  { target, name }: { target: Buffer | string; name: string },
  sizes: BlockSizes,
  limit?: BlockLimit,
  progress?: (bytes: number) => void,
): Promise<WrittenFile> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file = await open(target, 'r+').catch((error: unknown) => {
    const isMissing = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
    throw isMissing ? invalid(`there is no ${name} that its changes could be applied to`, error) : error;
  });
  try {
    const patch = new Patch(file, { ...sizes, limit }, name);
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
  /** The head as far as it has come. It is joined only when there is enough of it. */
  private held: Buffer[] = [];
  private heldBytes = 0;
  private wantedBytes = headBytes;
  private blocks: Uint32Array | undefined;
  /** The index of the current block, and how many of its bytes are written. */
  private at = 0;
  private written = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly sizes: BlockSizes & { limit: BlockLimit | undefined },
    private readonly name: string,
  ) {}

  async take(chunk: Buffer): Promise<void> {
    if (this.blocks) {
      await this.writeBlocks(this.blocks, chunk);
      return;
    }
    this.held.push(chunk);
    this.heldBytes += chunk.length;
    if (this.heldBytes < this.wantedBytes) return;
    const bytes = Buffer.concat(this.held, this.heldBytes);
    const head = this.head(bytes);
    if (!head) {
      this.held = [bytes];
      return;
    }
    await this.resize(head.blocks, head.truncation);
    this.blocks = head.blocks;
    this.held = [];
    await this.writeBlocks(this.blocks, bytes.subarray(head.length));
  }

  end(): void {
    if (!this.blocks || this.at < this.blocks.length || this.written > 0)
      throw invalid(`the changes to ${this.name} break off`);
  }

  /** Undefined until the whole head has come. */
  private head(bytes: Buffer): { length: number; blocks: Uint32Array; truncation: number } | undefined {
    const { blockSize, segmentBlocks } = this.sizes;
    const count = bytes.readUInt32LE(4);
    const truncation = bytes.readUInt32LE(8);
    if (bytes.readUInt32LE(0) !== magic || count > segmentBlocks || truncation === noBlock)
      throw invalid(`the changes to ${this.name} are of no known form`);
    const listed = headBytes + count * 4;
    const length = count === 0 ? listed : Math.ceil(listed / blockSize) * blockSize;
    this.wantedBytes = length;
    if (bytes.length < length) return undefined;
    const blocks = new Uint32Array(count);
    for (let index = 0; index < count; index += 1) blocks[index] = bytes.readUInt32LE(headBytes + index * 4);
    if (blocks.some((block, index) => block >= segmentBlocks || block <= (blocks[index - 1] ?? -1))) {
      throw invalid(`the changes to ${this.name} are not in order`);
    }
    return { length, blocks, truncation };
  }

  /**
   * The blocks below both the truncation length and the limit stay as they were. From there to the last block it is zeros. A
   * truncation length beyond the segment is the relation's: some versions send it for the segments before the one that was cut.
   */
  private async resize(blocks: Uint32Array, truncation: number): Promise<void> {
    const { blockSize, segmentBlocks, limit } = this.sizes;
    const whole = truncation === limit?.said ? limit.kept : truncation;
    const length = Math.max(0, Math.min(whole, segmentBlocks));
    const kept = Math.max(0, Math.min(length, limit?.kept ?? segmentBlocks));
    const { size } = await this.file.stat();
    if (size > kept * blockSize) await this.file.truncate(kept * blockSize);
    await this.file.truncate(Math.max(length, (blocks.at(-1) ?? -1) + 1) * blockSize);
  }

  /** Writes blocks that follow one another as they come. */
  private async writeBlocks(blocks: Uint32Array, bytes: Buffer): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      const block = blocks[this.at];
      if (block === undefined) throw invalid(`the changes to ${this.name} do not end where they should`);
      const { blockSize } = this.sizes;
      const part = rest.subarray(0, blockSize - this.written);
      await writeAll(this.file, part, block * blockSize + this.written);
      this.written += part.length;
      if (this.written === blockSize) {
        this.at += 1;
        this.written = 0;
      }
      rest = rest.subarray(part.length);
    }
  }
}

const gibibyte = 1_073_741_824;

/** @throws {EngineFault} when the backup has sizes that no server has */
export function blockSizesOf({ engine }: VaultManifest): BlockSizes {
  const { blockSize } = engine;
  if (typeof blockSize !== 'number' || !blockSizes.has(blockSize)) {
    throw invalid(`its blocks have ${JSON.stringify(blockSize)} bytes, and no server's have`);
  }
  const segmentBlocks = engine.segmentBlocks ?? gibibyte / blockSize;
  if (!areSegmentBlocks(segmentBlocks)) {
    throw invalid(`its segments have ${JSON.stringify(segmentBlocks)} blocks, and no server's have`);
  }
  return { blockSize, segmentBlocks };
}

function invalid(why: string, cause?: unknown): EngineFault {
  return new EngineFault('backup-content-invalid', `The backup can't be restored: ${why}.`, { cause });
}

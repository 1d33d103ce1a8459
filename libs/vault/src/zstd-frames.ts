/**
 * Compresses into a row of zstd frames of at most 1 MiB of content each. Memory use does not grow with the size. Two frames are
 * compressed at a time on the thread pool, and the result is a standard `.zst` that every zstd reads. What zstd could not make smaller
 * for a while is stored as it is, and tried again after a few frames.
 */

import { compress, decompress } from '@mongodb-js/zstd';
import { messageOf } from '@strongroom/contracts';
import { passedMemory } from '@strongroom/runtime/light';
import { FrameFault, frameAt, rawFrame, smallestFrameBytes } from './zstd-format.js';

const contentBytes = 1_048_576;
/** Content that can't be compressed grows by a few bytes for each block. */
const largestFrameBytes = contentBytes + 65_536;
/** Frames of another compressor than ours may hold a little more than 1 MiB. */
const largestContentBytes = 4 * contentBytes;

/** Yields a frame for each MiB of the source, in order. An empty source gives one empty frame. */
export async function* compressFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let before: Promise<Buffer> | undefined;
  const packer = new Packer();
  try {
    for await (const piece of pieces(source)) {
      const frame = packer.frameOf(piece);
      // Nobody awaits a frame until it is its turn, and a failure before that must not count as unhandled.
      frame.catch(() => {});
      if (before !== undefined) {
        const ready = await before;
        yield ready;
        passedMemory.passed(ready.length);
      }
      before = frame;
    }
    yield await (before ?? compress(Buffer.alloc(0)));
  } finally {
    await before?.catch(() => {});
  }
}

/** So many frames in a row that did not get smaller, and a sample of the next is looked at first. */
const triedInVain = 2;
/** So many frames are stored as they are at the most, before one is tried as a whole again. */
const mostUntried = 15;
const sampleBytes = 32_768;
/** The samples of frames that follow each other are of different parts of them. */
const sampleStep = 61_440;
/**
 * What is hardly smaller costs its reader more than it saves. PostgreSQL itself leaves 3 % of a page of compressed or encrypted columns to
 * its own headers: a smaller gain would be found in every such page.
 */
const leastGain = 0.05;

/** Trying costs some hundred times as much as finding that it is in vain: encrypted and compressed columns never get smaller. */
class Packer {
  private inVain = 0;
  private untried = 0;

  async frameOf(piece: Buffer): Promise<Buffer> {
    if (this.inVain >= triedInVain && this.untried < mostUntried && piece.length === contentBytes) {
      const at = this.untried * sampleStep;
      this.untried += 1;
      const sample = piece.subarray(at, at + sampleBytes);
      if (!isSmaller(await compress(sample), sample)) return rawFrame(piece);
    }
    const frame = await compress(piece);
    this.untried = 0;
    this.inVain = isSmaller(frame, piece) ? 0 : this.inVain + 1;
    return frame;
  }
}

function isSmaller(compressed: Buffer, content: Buffer): boolean {
  return compressed.length < content.length * (1 - leastGain);
}

/**
 * Joins and cuts the source's chunks into pieces of 1 MiB; the last one may be smaller. A piece holds its bytes until the next but one is asked
 * for. New memory for each would cost more than compressing it, because V8 looks through all of its memory after a few of them.
 */
async function* pieces(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let memory: Buffer = Buffer.allocUnsafeSlow(contentBytes);
  let other: Buffer | undefined;
  let length = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.copy(memory, length, at);
      at += taken;
      length += taken;
      if (length < contentBytes) continue;
      yield memory;
      [memory, other] = [other ?? Buffer.allocUnsafeSlow(contentBytes), memory];
      length = 0;
    }
  }
  if (length > 0) yield memory.subarray(0, length);
}

/**
 * Yields the content of each frame, in order.
 * @throws {FrameFault} when it is no zstd, is cut short, or asks for more memory than a frame of ours ever needs
 */
export async function* decompressFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  // Chunks are joined only when there are enough bytes to tell more.
  let wantedBytes = smallestFrameBytes;
  for await (const chunk of source) {
    held.push(chunk);
    heldBytes += chunk.length;
    while (heldBytes >= wantedBytes) {
      const [first] = held;
      const joined = first && held.length === 1 ? first : Buffer.concat(held, heldBytes);
      const frame = frameAt(joined);
      if (frame.contentBytes > largestContentBytes) {
        throw new FrameFault(`a zstd frame has up to ${frame.contentBytes} bytes of content; ours have 1 MiB at most`);
      }
      if (frame.bytes > largestFrameBytes) throw new FrameFault('a zstd frame is larger than any of ours');
      let rest = joined;
      if (frame.isWhole) {
        yield await contentOf(joined.subarray(0, frame.bytes));
        rest = joined.subarray(frame.bytes);
      }
      held = rest.length > 0 ? [rest] : [];
      heldBytes = rest.length;
      wantedBytes = frame.isWhole ? smallestFrameBytes : frame.bytes;
    }
  }
  if (heldBytes > 0) throw new FrameFault('the compressed data ends in the middle of a frame');
}

async function contentOf(frame: Buffer): Promise<Buffer> {
  try {
    return await decompress(frame);
  } catch (error) {
    throw new FrameFault(`a zstd frame can't be decompressed: ${messageOf(error)}`);
  }
}

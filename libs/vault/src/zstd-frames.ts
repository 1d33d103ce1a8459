/**
 * Compression as a row of zstd frames of at most 1 MiB of content each: memory stays flat, two frames are compressed at
 * a time on the thread pool, and the whole is a standard `.zst` that every zstd reads.
 */
import { compress, decompress } from '@mongodb-js/zstd';

export const frameBytes = 1_048_576;
const level = 3;
const inFlight = 2;

/** What is read as zstd is not, or asks for more memory than a frame of ours ever needs. */
export class FrameFault extends Error {
  override readonly name = 'FrameFault';
}

/** Yields a frame for each MiB of the source, in order. */
export async function* compressFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const waiting: Promise<Buffer>[] = [];
  try {
    for await (const piece of pieces(source, frameBytes)) {
      const frame = compress(piece, level);
      // Until it is its turn nobody awaits it: a failure then must not count as unhandled.
      frame.catch(() => {});
      waiting.push(frame);
      if (waiting.length >= inFlight) yield (await waiting.shift()) ?? Buffer.alloc(0);
    }
    for (const frame of waiting.splice(0)) yield await frame;
  } finally {
    await Promise.allSettled(waiting);
  }
}

/** Joins and cuts the source's chunks into pieces of just the size, but for the last. */
async function* pieces(source: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of source) {
    let rest = chunk;
    while (heldBytes + rest.length >= size) {
      const needed = size - heldBytes;
      held.push(rest.subarray(0, needed));
      yield Buffer.concat(held, size);
      rest = rest.subarray(needed);
      held = [];
      heldBytes = 0;
    }
    if (rest.length > 0) {
      held.push(rest);
      heldBytes += rest.length;
    }
  }
  if (heldBytes > 0) yield Buffer.concat(held, heldBytes);
}

/** Room for what zstd adds to content that it can't compress. */
const largestFrame = frameBytes + 65_536;

/**
 * Yields the content of each frame, in order.
 * @throws {FrameFault}
 */
export async function* decompressFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (;;) {
      const length = frameLength(held);
      if (length === undefined) break;
      yield await content(held.subarray(0, length));
      held = held.subarray(length);
    }
    if (held.length > largestFrame) throw new FrameFault('a zstd frame is larger than any of ours');
  }
  if (held.length > 0) throw new FrameFault('the compressed data ends in the middle of a frame');
}

async function content(frame: Buffer): Promise<Buffer> {
  try {
    return await decompress(frame);
  } catch (error) {
    throw new FrameFault(`a zstd frame can't be decompressed: ${error instanceof Error ? error.message : error}`);
  }
}

const magic = 0xfd2fb528;
const dictionaryIdBytes = [0, 1, 2, 4];

/**
 * The length of the frame that the buffer begins with, or undefined while it is not whole.
 * Source: RFC 8878, section 3.1.1.
 */
function frameLength(buffer: Buffer): number | undefined {
  if (buffer.length < 5) return undefined;
  if (buffer.readUInt32LE(0) !== magic) throw new FrameFault('this is no zstd frame');
  const descriptor = buffer.readUInt8(4);
  const singleSegment = (descriptor & 0b0010_0000) !== 0;
  const hasChecksum = (descriptor & 0b0000_0100) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 2 ** sizeFlag;
  const sizeAt = 5 + (singleSegment ? 0 : 1) + (dictionaryIdBytes[descriptor & 0b11] ?? 0);
  let at = sizeAt + sizeBytes;
  if (buffer.length < at) return undefined;
  if (contentSize(buffer, sizeAt, sizeFlag, sizeBytes) > BigInt(frameBytes)) {
    throw new FrameFault('a zstd frame declares more content than any of ours holds');
  }
  for (;;) {
    if (buffer.length < at + 3) return undefined;
    const header = buffer.readUIntLE(at, 3);
    const isRunLength = ((header >> 1) & 0b11) === 1;
    at += 3 + (isRunLength ? 1 : header >> 3);
    if ((header & 1) === 1) break;
  }
  at += hasChecksum ? 4 : 0;
  return buffer.length < at ? undefined : at;
}

/** Ours always declare it: the compressor is given the whole content at once. */
function contentSize(buffer: Buffer, at: number, flag: number, bytes: number): bigint {
  if (bytes === 0) throw new FrameFault('a zstd frame does not declare the size of its content');
  if (bytes === 8) return buffer.readBigUInt64LE(at);
  const size = buffer.readUIntLE(at, bytes);
  return BigInt(flag === 1 ? size + 256 : size);
}

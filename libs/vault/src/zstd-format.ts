/**
 * Finds where a zstd frame ends and how much it can hold, from its headers alone. The compressor does not declare the size
 * of the content, so the blocks say how much memory a frame may ask for.
 * Source: RFC 8878, sections 3.1.1 and 3.1.1.2.
 */
import { Fault } from '@strongroom/contracts';

/** The bytes are not zstd, or not a frame that this compressor can have made. */
export class FrameFault extends Fault<'frame-invalid'> {
  override readonly name = 'FrameFault';

  constructor(message: string) {
    super('frame-invalid', false, message);
  }
}

export interface Frame {
  /** False while the end of the buffer comes before the end of the frame. */
  isWhole: boolean;
  /** The length of a frame that is whole; else how many bytes are needed to tell more. */
  bytes: number;
  /** The most that the frame's content can be, as far as it could be read. */
  contentBytes: number;
}

const magic = 0xfd2fb528;
const largestBlockBytes = 131_072;
/** The magic number, the descriptor, one more byte of the header, and the header of one block. */
export const smallestFrameBytes = 9;

const rawHeaderBytes = 9;
const blockHeaderBytes = 3;
/** One segment, and four bytes for the size of the content. */
const rawDescriptor = 0b1010_0000;

/** A frame that holds its content as it is. @param content one byte at least */
export function rawFrame(content: Buffer): Buffer {
  const blocks = Math.ceil(content.length / largestBlockBytes);
  const frame = Buffer.allocUnsafeSlow(rawHeaderBytes + blocks * blockHeaderBytes + content.length);
  frame.writeUInt32LE(magic, 0);
  frame.writeUInt8(rawDescriptor, 4);
  frame.writeUInt32LE(content.length, 5);
  let at = rawHeaderBytes;
  for (let from = 0; from < content.length; from += largestBlockBytes) {
    const block = content.subarray(from, from + largestBlockBytes);
    const isLast = from + block.length === content.length ? 1 : 0;
    at = frame.writeUIntLE(block.length * 8 + isLast, at, blockHeaderBytes);
    at += block.copy(frame, at);
  }
  return frame;
}

/** Tells of the frame that the buffer begins with. @throws {FrameFault} */
export function frameAt(buffer: Buffer): Frame {
  if (buffer.length < smallestFrameBytes) return { isWhole: false, bytes: smallestFrameBytes, contentBytes: 0 };
  if (buffer.readUInt32LE(0) !== magic) throw new FrameFault('this is no zstd frame');
  const header = headerOf(buffer);
  let at = header.bytes;
  let contentBytes = 0;
  for (let isLast = false; !isLast; ) {
    if (buffer.length < at + 3) return { isWhole: false, bytes: at + 3, contentBytes };
    const block = buffer.readUIntLE(at, 3);
    const size = block >> 3;
    const kind = (block >> 1) & 0b11;
    isLast = (block & 1) === 1;
    if (size > largestBlockBytes || kind === 3)
      throw new FrameFault('a zstd frame has a block that zstd does not allow');
    // Raw and run-length blocks say how much they hold; a compressed block says only how long it is.
    contentBytes += kind === 2 ? largestBlockBytes : size;
    at += 3 + (kind === 1 ? 1 : size);
  }
  at += header.hasChecksum ? 4 : 0;
  return { isWhole: buffer.length >= at, bytes: at, contentBytes: Math.max(contentBytes, header.declaredBytes) };
}

function headerOf(buffer: Buffer): { bytes: number; hasChecksum: boolean; declaredBytes: number } {
  const descriptor = buffer.readUInt8(4);
  const isSingleSegment = (descriptor & 0b0010_0000) !== 0;
  const hasDictionary = (descriptor & 0b11) !== 0;
  if (hasDictionary) throw new FrameFault('a zstd frame asks for a dictionary; ours never do');
  const flag = descriptor >> 6;
  const sizeBytes = flag === 0 ? (isSingleSegment ? 1 : 0) : 2 ** flag;
  const sizeAt = isSingleSegment ? 5 : 6;
  const bytes = sizeAt + sizeBytes;
  const hasChecksum = (descriptor & 0b0000_0100) !== 0;
  // A header of more than the smallest frame's bytes is read again when more has come: the first block needs it whole.
  if (sizeBytes === 0 || buffer.length < bytes) return { bytes, hasChecksum, declaredBytes: 0 };
  const size = sizeBytes === 8 ? Number(buffer.readBigUInt64LE(sizeAt)) : buffer.readUIntLE(sizeAt, sizeBytes);
  return { bytes, hasChecksum, declaredBytes: flag === 1 ? size + 256 : size };
}

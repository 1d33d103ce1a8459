/** Cuts a stream of bytes into pieces that are sent as one, each with its SHA-256. One piece is in memory at a time. */
import { createHash } from 'node:crypto';
import type { ObjectCipher, PayloadWriter } from '@strongroom/encryption';
import { passedMemory } from '@strongroom/runtime/light';
import { pieceMemories } from './piece-memory.js';

export interface Cut {
  bytes: Buffer;
  sha256: string;
  /** To be called when nobody looks at the bytes any more. Another piece is collected in their memory then. */
  giveBack: () => void;
}

/**
 * Cuts where a chunk of the source ends. Only a chunk that is larger than a piece is cut itself. An empty source gives one piece.
 * @param cipher encrypts each piece as a payload of its own. A piece has no more bytes than without it
 */
export async function* cutAtChunks(
  source: AsyncIterable<Buffer>,
  mostBytesOf: (index: number) => number,
  cipher?: ObjectCipher,
): AsyncGenerator<Cut, void, undefined> {
  let index = 0;
  const pieceAt = (at: number): OpenPiece => {
    const mostBytes = mostBytesOf(at);
    return cipher ? new EncryptedPiece(mostBytes, cipher, at) : new CollectedPiece(mostBytes);
  };
  let piece = pieceAt(index);
  for await (const chunk of source) {
    let rest = chunk;
    while (rest.length > piece.roomBytes) {
      if (piece.length === 0) rest = piece.take(rest);
      yield piece.cut();
      index += 1;
      piece = pieceAt(index);
    }
    piece.take(rest);
  }
  if (piece.length > 0 || index === 0) yield piece.cut();
}

/** Cuts pieces of these sizes. The last one is shorter when the source ends too early, and what comes after it is a piece as well. */
export async function* cutInto(
  source: AsyncIterable<Buffer>,
  sizes: readonly number[],
): AsyncGenerator<Cut, void, undefined> {
  let index = 0;
  let piece = new CollectedPiece(sizes[0] ?? 0);
  const next = () => {
    index += 1;
    piece = new CollectedPiece(sizes[index] ?? 0);
  };
  for await (const chunk of source) {
    let rest = chunk;
    while (rest.length > 0) {
      if (index >= sizes.length) {
        yield { bytes: rest, sha256: createHash('sha256').update(rest).digest('hex'), giveBack: () => {} };
        return;
      }
      rest = piece.take(rest);
      if (piece.roomBytes > 0) continue;
      yield piece.cut();
      next();
    }
  }
  while (index < sizes.length) {
    yield piece.cut();
    next();
  }
}

/** A piece that is being filled. */
interface OpenPiece {
  /** How many bytes of the source it holds, and how many it has room for. */
  readonly length: number;
  readonly roomBytes: number;
  /** @returns what has no room */
  take(chunk: Buffer): Buffer;
  cut(): Cut;
}

/** Holds what was encrypted already, so a piece takes no more memory than one in clear. */
class EncryptedPiece implements OpenPiece {
  length = 0;
  private readonly mostBytes: number;
  private readonly piece: CollectedPiece;
  private readonly writer: PayloadWriter;

  constructor(mostBytes: number, cipher: ObjectCipher, index: number) {
    // Something of the source must fit into it.
    const pieceBytes = Math.max(mostBytes, cipher.payloadBytes(1));
    this.mostBytes = cipher.contentBytesIn(pieceBytes);
    this.piece = new CollectedPiece(pieceBytes);
    this.writer = cipher.writer(index);
  }

  get roomBytes(): number {
    return this.mostBytes - this.length;
  }

  take(chunk: Buffer): Buffer {
    const taken = chunk.subarray(0, this.roomBytes);
    for (const part of this.writer.update(taken)) this.piece.take(part);
    passedMemory.passed(taken.length);
    this.length += taken.length;
    return chunk.subarray(taken.length);
  }

  cut(): Cut {
    for (const part of this.writer.end()) this.piece.take(part);
    return this.piece.cut();
  }
}

class CollectedPiece implements OpenPiece {
  length = 0;
  private readonly hash = createHash('sha256');
  private readonly memory: Buffer;
  private readonly giveBack: () => void;

  constructor(mostBytes: number) {
    const { memory, giveBack } = pieceMemories.take(mostBytes);
    this.memory = memory;
    this.giveBack = giveBack;
  }

  get roomBytes(): number {
    return this.memory.length - this.length;
  }

  take(chunk: Buffer): Buffer {
    const taken = chunk.subarray(0, this.roomBytes);
    taken.copy(this.memory, this.length);
    this.hash.update(taken);
    this.length += taken.length;
    return chunk.subarray(taken.length);
  }

  cut(): Cut {
    const { memory, length, giveBack } = this;
    return { bytes: memory.subarray(0, length), sha256: this.hash.digest('hex'), giveBack };
  }
}

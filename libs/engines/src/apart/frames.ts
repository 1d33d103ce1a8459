/**
 * What a process of an engine and its owner say to each other over pipes: frames, each of a type of one byte, a length in 32 bits,
 * and so many bytes. Neither side keeps more than one frame.
 */
import type { Writable } from 'node:stream';

export interface Frame {
  type: string;
  payload: Buffer;
}

const headBytes = 5;

/** What came is not of the form. */
export class BrokenFrames extends Error {}

/**
 * @param mostBytes of a frame
 * @param inParts frames of this type are given in parts, as they come. They are not joined, which would take new memory for each
 * @throws {BrokenFrames} when one is longer, or breaks off; errors of the source as they are
 */
export async function* readFrames(
  source: AsyncIterable<unknown>,
  mostBytes: number,
  inParts?: string,
): AsyncGenerator<Frame> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let wantedBytes = headBytes;
  /** Of a frame that is given in parts. */
  let leftBytes = 0;
  for await (const chunk of source) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('a pipe gave no bytes');
    const part = chunk.subarray(0, leftBytes);
    leftBytes -= part.length;
    if (inParts !== undefined && part.length > 0) yield { type: inParts, payload: part };
    held.push(chunk.subarray(part.length));
    heldBytes += chunk.length - part.length;
    while (heldBytes >= wantedBytes) {
      const joined = held.length === 1 && held[0] ? held[0] : Buffer.concat(held, heldBytes);
      const type = joined.toString('latin1', 0, 1);
      const length = joined.readUInt32LE(1);
      if (length > mostBytes) throw new BrokenFrames(`a frame of ${length} bytes`);
      const end = headBytes + length;
      const isWhole = joined.length >= end;
      const isGiven = isWhole || type === inParts;
      const rest = isGiven ? joined.subarray(end) : joined;
      held = rest.length > 0 ? [rest] : [];
      heldBytes = rest.length;
      wantedBytes = isGiven ? headBytes : end;
      if (!isGiven) continue;
      if (!isWhole) leftBytes = end - joined.length;
      yield { type, payload: joined.subarray(headBytes, end) };
    }
  }
  if (heldBytes > 0 || leftBytes > 0) throw new BrokenFrames('a frame that breaks off');
}

export class FrameWriter {
  /** @param stream whose errors are nobody else's business: its other side is gone then */
  constructor(private readonly stream: Writable) {
    stream.on('error', () => {});
  }

  /** Whether nobody will read any more. */
  get isClosed(): boolean {
    return this.stream.destroyed;
  }

  /** Resolves when there is room for more. */
  async write(type: string, payload: Buffer | string = ''): Promise<void> {
    const { stream } = this;
    const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
    const head = Buffer.alloc(headBytes);
    head.write(type, 'latin1');
    head.writeUInt32LE(bytes.length, 1);
    stream.cork();
    stream.write(head);
    const hasRoom = stream.write(bytes);
    process.nextTick(() => stream.uncork());
    if (hasRoom || stream.destroyed) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        stream.off('drain', done).off('close', done);
        resolve();
      };
      stream.on('drain', done).on('close', done);
    });
  }

  /** Resolves when everything is written. */
  end(): Promise<void> {
    return new Promise((resolve) => this.stream.end(resolve));
  }
}

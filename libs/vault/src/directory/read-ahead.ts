/**
 * Reads a file a mebibyte at a time, the next one while its reader has the one before: a disk and a digest work at the same time. Handing a
 * read over to another thread costs as much as hashing some tens of kilobytes.
 */
import { type DiskBuffers, diskBuffers, pageBytes } from './disk-buffers.js';
import { chunkBytes } from './vault-root.js';

/** So much is read or written by one operation of the file system. */
export const stepBytes = 1_048_576;

export interface Stretch {
  from: number;
  /** Behind the last byte. The file may end sooner. */
  end: number;
}

/** Reads at a place of the file, and returns how many bytes it gave; 0 at the end. */
export type ReadInto = (memory: Buffer, at: number) => Promise<number>;

const nothing = Buffer.alloc(0);

/**
 * Gives chunks of at most 128 KiB. When it ends, in whatever way, nothing is being read any more. What fails ahead of the reader is thrown when its turn has come.
 * @param memoryFor where the next mebibyte goes. Default: memory of its own, which the reader may keep
 */
export async function* readAhead(
  { from, end }: Stretch,
  readInto: ReadInto,
  memoryFor = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes),
): AsyncGenerator<Buffer, void, undefined> {
  const readAt = async (at: number): Promise<Buffer> => {
    if (at >= end) return nothing;
    const memory = memoryFor(Math.min(stepBytes, end - at));
    return memory.subarray(0, await readInto(memory, at));
  };
  let reading = readAt(from);
  try {
    for (let at = from; ; ) {
      const bytes = await reading;
      if (bytes.length === 0) return;
      at += bytes.length;
      reading = readAt(at);
      // Nobody awaits it while the reader has these bytes, and a failure before that must not count as unhandled.
      reading.catch(() => {});
      for (let from = 0; from < bytes.length; from += chunkBytes) yield bytes.subarray(from, from + chunkBytes);
    }
  } finally {
    await reading.catch(() => {});
  }
}

/**
 * The same, for a reader that does not look at a chunk any more when it asks for the next one: its memory is used again then, and by other readers later.
 * It reads whole pages, so it begins at the page in which the first byte lies.
 */
export async function* readLent({ from, end }: Stretch, readInto: ReadInto): AsyncGenerator<Buffer, void, undefined> {
  const lent = diskBuffers.take();
  let before = from % pageBytes;
  try {
    for await (const chunk of readAhead({ from: from - before, end }, readInto, inTurns(lent))) {
      const asked = chunk.subarray(before);
      before -= chunk.length - asked.length;
      if (asked.length > 0) yield asked;
    }
  } finally {
    if (lent) diskBuffers.giveBack(lent);
  }
}

/** One half is read into while the other one is looked at. */
function inTurns(lent: DiskBuffers | undefined): (bytes: number) => Buffer {
  const memories = lent ?? [Buffer.allocUnsafeSlow(stepBytes), Buffer.allocUnsafeSlow(stepBytes)];
  let turn: 0 | 1 = 0;
  return (bytes) => {
    turn = turn === 0 ? 1 : 0;
    return memories[turn].subarray(0, bytes);
  };
}

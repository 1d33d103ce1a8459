/** Reads a file in chunks, the next one while its reader has the one before: a disk and a digest work at the same time. */
import { chunkBytes } from './vault-root.js';

export interface Stretch {
  from: number;
  /** Behind the last byte. The file may end sooner. */
  end: number;
}

const nothing = Buffer.alloc(0);

/**
 * When it ends, in whatever way, nothing is being read any more. What fails ahead of the reader is thrown when its turn has come.
 * @param readInto reads at a place of the file, and returns how many bytes it gave; 0 at the end
 * @param memoryFor where the next chunk goes. Default: memory of its own, which the reader may keep
 */
export async function* readAhead(
  { from, end }: Stretch,
  readInto: (memory: Buffer, at: number) => Promise<number>,
  memoryFor = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes),
): AsyncGenerator<Buffer, void, undefined> {
  const readAt = async (at: number): Promise<Buffer> => {
    if (at >= end) return nothing;
    const memory = memoryFor(Math.min(chunkBytes, end - at));
    return memory.subarray(0, await readInto(memory, at));
  };
  let reading = readAt(from);
  try {
    for (let at = from; ; ) {
      const chunk = await reading;
      if (chunk.length === 0) return;
      at += chunk.length;
      reading = readAt(at);
      // Nobody awaits it while the reader has the chunk, and a failure before that must not count as unhandled.
      reading.catch(() => {});
      yield chunk;
    }
  } finally {
    await reading.catch(() => {});
  }
}

/** Memory for two chunks: one is read into while the other one is looked at. Its reader keeps none. */
export function inTurns(): (bytes: number) => Buffer {
  const memories = [Buffer.allocUnsafeSlow(chunkBytes), Buffer.allocUnsafeSlow(chunkBytes)] as const;
  let turn: 0 | 1 = 0;
  return (bytes) => {
    turn = turn === 0 ? 1 : 0;
    return memories[turn].subarray(0, bytes);
  };
}

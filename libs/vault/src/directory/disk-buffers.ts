/**
 * Memory that a disk can write into directly, past the page cache of this host: the system wants it to begin at a page. Node can't
 * say where a buffer begins, but the memory of WebAssembly always begins at a page. It is kept and lent again, because each piece of
 * it takes room among the addresses of the process.
 */

/** The part of it that is used. The types of Node leave it out. */
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
};

/** A disk gives larger pieces faster; with two of them, one is read while the other is hashed. */
const bufferBytes = 1_048_576;
/** A disk is read and written in whole pages of this size at the most. */
export const pageBytes = 4_096;
/** Those of WebAssembly are larger. */
const memoryPageBytes = 65_536;

export type DiskBuffers = readonly [Buffer, Buffer];

export class DiskBufferPool {
  private readonly free: DiskBuffers[] = [];

  /** @returns undefined when the process can have no such memory */
  take(): DiskBuffers | undefined {
    return this.free.pop() ?? made();
  }

  /** To be called when nothing reads into them any more. */
  giveBack(buffers: DiskBuffers): void {
    this.free.push(buffers);
  }
}

/** What all vaults of this process read with. There are as many as have ever been read at a time. */
export const diskBuffers = new DiskBufferPool();

function made(): DiskBuffers | undefined {
  const pages = (2 * bufferBytes) / memoryPageBytes;
  try {
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
    return [Buffer.from(buffer, 0, bufferBytes), Buffer.from(buffer, bufferBytes, bufferBytes)];
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The same memory, up to the end of its last page, or of all memory there. */
export function wholePages(memory: Buffer): Buffer {
  const bytes = Math.ceil(memory.length / pageBytes) * pageBytes;
  return Buffer.from(memory.buffer, memory.byteOffset, Math.min(bytes, memory.buffer.byteLength - memory.byteOffset));
}

/**
 * Has V8 free the memory of bytes that have passed. A socket, a pipe, a cipher and zstd give new memory for each part, which lies outside of the heap. By
 * itself V8 frees it after it has looked through the whole heap, which costs more than all else that is done with the bytes. What has
 * just passed belongs to young objects, and a look at these alone takes less than a millisecond.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { z } from 'zod';

/** With more between two looks, V8 begins to look through the whole heap: where its memory is limited, it lets that grow by little. */
const eachBytes = 4_194_304;

const gc = z.custom<(options: { type: 'minor' }) => unknown>((value) => typeof value === 'function');

export class PassedMemory {
  private passedBytes = 0;

  constructor(private readonly freeYoung: () => void) {}

  /** So many bytes have passed in memory that was new, and that nobody keeps. */
  passed(bytes: number): void {
    this.passedBytes += bytes;
    if (this.passedBytes < eachBytes) return;
    this.passedBytes = 0;
    this.freeYoung();
  }
}

let collect: z.infer<typeof gc> | undefined;

/** V8 gives the call to contexts that are made while its flag is set. */
function collector(): z.infer<typeof gc> {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return gc.parse(found);
}

/** That of this process. */
export const passedMemory = new PassedMemory(() => {
  collect ??= collector();
  collect({ type: 'minor' });
});

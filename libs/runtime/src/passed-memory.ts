/**
 * Has V8 free the memory of bytes that have passed, and of a start. A socket, a pipe, a cipher and zstd give new memory for each part, which lies outside of the heap. By
 * itself V8 frees it after it has looked through the whole heap, which costs more than all else that is done with the bytes. What has
 * just passed belongs to young objects, and a look at these alone takes less than a millisecond.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { z } from 'zod';

/** With more between two looks, V8 begins to look through the whole heap: where its memory is limited, it lets that grow by little. */
const eachBytes = 4_194_304;

type Collection = { type: 'minor' } | { type: 'major'; flavor: 'last-resort' };
const gc = z.custom<(collection: Collection) => unknown>((value) => typeof value === 'function');

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

let collector: z.infer<typeof gc> | undefined;

function collect(collection: Collection): void {
  collector ??= collectorOfV8();
  collector(collection);
}

/** V8 gives the call to contexts that are made while its flag is set. */
function collectorOfV8(): z.infer<typeof gc> {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return gc.parse(found);
}

/** That of this process. */
export const passedMemory = new PassedMemory(() => collect({ type: 'minor' }));

/**
 * Frees all that nobody holds, and gives the memory back to the system. To be called once, between the start of a process and its work: what only the start
 * needed are some 15 MiB, and by itself V8 keeps them, since a heap that has grown is its measure. Nothing else runs meanwhile, which takes some tenths of
 * a second. Node 20 does not know how, and keeps them.
 */
export function freeWhatStartNeeded(): void {
  collect({ type: 'major', flavor: 'last-resort' });
}

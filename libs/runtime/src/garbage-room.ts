/**
 * How much garbage there may be before V8 looks through the whole heap. V8 allows a share of what is in use, and counts the memory with it that
 * buffers have outside of the heap. In a process that passes gigabytes through buffers and keeps little else, it looks through the heap for each
 * ten megabytes: that took up to 40 % of the processors' time. So such a process allows itself a number of bytes instead of a share.
 */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { z } from 'zod';

/** A process has so much more memory, at the most, than it would have otherwise. */
const usualBytes = 33_554_432;
/** V8's own share, with our limit of its memory. */
const leastPercent = 33;

const collection = z.object({ detail: z.object({ kind: z.number() }) });

/**
 * For the rest of this process. The flag that V8 has for this is a share, too, and can't be among the `NODE_OPTIONS`. So it is set anew after each look through the
 * heap: pieces that are being sent may double what is in use, and a share that was right before would leave twice the room.
 */
export function leaveRoomForGarbage(bytes = usualBytes): void {
  const setShare = () => {
    const { used_heap_size, external_memory } = getHeapStatistics();
    const percent = Math.round((100 * bytes) / (used_heap_size + external_memory));
    setFlagsFromString(`--heap-growing-percent=${Math.max(leastPercent, percent)}`);
  };
  setShare();
  new PerformanceObserver((seen) => {
    if (seen.getEntries().some(isOfWholeHeap)) setShare();
  }).observe({ entryTypes: ['gc'] });
}

function isOfWholeHeap(entry: unknown): boolean {
  return collection.safeParse(entry).data?.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}

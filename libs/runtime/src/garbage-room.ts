/**
 * How much garbage there may be before V8 looks through the whole heap. V8 allows a share of what the heap has in use, and counts all memory with it
 * that buffers have outside of the heap. In a process that passes gigabytes through buffers and keeps little else, it looks through the heap for each
 * ten megabytes: that took up to 40 % of the processors' time. So such a process allows itself a number of bytes instead of a share.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** A process has so much more memory, at the most, than it would have otherwise. */
const usualBytes = 50_331_648;
/** V8's own share, with our limit of its memory, is about a third. */
const leastPercent = 40;

/**
 * Sets it for the rest of this process. To be called when what the process keeps is loaded, because the flag that V8 has for this
 * is a share, too. It can't be among the `NODE_OPTIONS`.
 */
export function leaveRoomForGarbage(bytes = usualBytes): void {
  const percent = Math.round((100 * bytes) / getHeapStatistics().used_heap_size);
  setFlagsFromString(`--heap-growing-percent=${Math.max(leastPercent, percent)}`);
}

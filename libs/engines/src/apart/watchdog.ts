/**
 * Ends its process when the first thread loops, when the process takes more memory than it may, and when nobody owns it any more.
 * It is a thread of its own, so it works when the first one does not. It counts looks and not time: a host that sleeps is no loop.
 */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { z } from 'zod';

export const watched = z.object({
  parentPid: z.int(),
  memoryBytes: z.number(),
  stuckMs: z.number(),
  beats: z.instanceof(SharedArrayBuffer),
});

const lookMs = 100;
const errorOutput = 2;

const { parentPid, memoryBytes, stuckMs, beats } = watched.parse(workerData);
const counter = new Int32Array(beats);
let lastBeat = -1;
let looksWithoutBeat = 0;

function end(why: string): void {
  try {
    writeSync(errorOutput, `strongroom-limit ${why}\n`);
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
}

setInterval(() => {
  if (process.ppid !== parentPid) end('orphaned');
  if (process.memoryUsage.rss() > memoryBytes) end('memory');
  const beat = Atomics.load(counter, 0);
  looksWithoutBeat = beat === lastBeat ? looksWithoutBeat + 1 : 0;
  lastBeat = beat;
  if (looksWithoutBeat * lookMs > stuckMs) end('stuck');
}, lookMs);

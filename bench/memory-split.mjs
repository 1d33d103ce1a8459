/**
 * Loaded by a service that memory.mjs measures with `split`: each tenth of a second it writes a line about what its memory consists of, in MiB,
 * into the file of its process in the folder `BENCH_MEMORY_SPLIT`. `partsAtPeak` reads them.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapSpaceStatistics } from 'node:v8';

const folder = process.env.BENCH_MEMORY_SPLIT;
const eachMs = 100;
const mib = (bytes) => bytes / 1_048_576;

function now() {
  const { rss, external, arrayBuffers } = process.memoryUsage();
  const spaces = Object.fromEntries(getHeapSpaceStatistics().map((each) => [each.space_name, each]));
  const resident = (...names) => names.reduce((sum, name) => sum + mib(spaces[name]?.physical_space_size ?? 0), 0);
  const young = resident('new_space', 'new_large_object_space');
  const heap = resident(...Object.keys(spaces));
  return {
    ...{ at: Date.now(), all: mib(rss), young, old: heap - young },
    ...{ oldInUse: mib(spaces.old_space.space_used_size), code: resident('code_space', 'code_large_object_space') },
    ...{ buffers: mib(arrayBuffers), external: mib(external - arrayBuffers), rest: mib(rss - external) - heap },
  };
}

if (folder !== undefined)
  setInterval(() => appendFileSync(join(folder, String(process.pid)), `${JSON.stringify(now())}\n`), eachMs).unref();

/** @returns what the memory of a process consisted of when it was most since an instant, in whole MiB, and when that was */
export function partsAtPeak(inFolder, pid, since) {
  const lines = readFileSync(join(inFolder, String(pid)), 'utf8')
    .trim()
    .split('\n');
  const peak = lines
    .map((line) => JSON.parse(line))
    .filter(({ at }) => at >= since)
    .reduce((most, each) => (each.all > (most?.all ?? 0) ? each : most), undefined);
  if (!peak) return undefined;
  const { at, ...parts } = peak;
  const sizes = Object.entries(parts).map(([name, size]) => [name, Math.round(size)]);
  return { afterSeconds: (at - since) / 1_000, ...Object.fromEntries(sizes) };
}

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { z } from 'zod';
import { serviceMemory } from './service-memory.js';

const run = promisify(execFile);
const built = join(__dirname, '..', '..', '..', 'dist', 'libs', 'runtime', 'src', 'garbage-room.js');
const found = z.object({ collections: z.number(), peakMiB: z.number() });

/** Passes 400 MB through buffers, as a transfer from a socket does, beside a heap that holds something. */
const transfer = `
  import { PerformanceObserver, constants } from 'node:perf_hooks';
  let collections = 0;
  new PerformanceObserver((seen) => {
    collections += seen.getEntries().filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length;
  }).observe({ entryTypes: ['gc'] });
  const kept = Array.from({ length: 150_000 }, (_, number) => ({ number, name: 'of ' + number }));
  if (process.argv[1]) (await import(process.argv[1])).leaveRoomForGarbage();
  const row = [];
  for (let chunk = 0; chunk < 6_400; chunk += 1) {
    row[chunk % 16] = Buffer.allocUnsafeSlow(65_536).fill(chunk);
    if (chunk % 64 === 0) await new Promise(setImmediate);
  }
  await new Promise(setImmediate);
  const peakMiB = process.resourceUsage().maxRSS / 1_024;
  console.log(JSON.stringify({ collections, peakMiB, kept: kept.length }));`;

async function transferred(module?: string): Promise<z.infer<typeof found>> {
  const args = ['--input-type=module', '-e', transfer, ...(module ? [module] : [])];
  const { stdout } = await run(process.execPath, args, { env: { ...process.env, ...serviceMemory() } });
  return found.parse(JSON.parse(stdout));
}

it('a process with room for garbage looks through its heap less often, for a known price of memory', async () => {
  const before = await transferred();
  const after = await transferred(built);
  expect(before.collections).toBeGreaterThan(5);
  expect(after.collections).toBeLessThan(before.collections);
  expect(after.peakMiB).toBeLessThan(before.peakMiB + 64);
}, 60_000);

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { z } from 'zod';
import { eventually } from '../../../../test/services/eventually.js';
import { TraceCollector } from '../../../../test/services/trace-collector.js';

const root = join(__dirname, '..', '..', '..', '..');
const program = [
  join(root, 'scripts', 'run-typescript.cjs'),
  join(root, 'libs', 'runtime', 'fixtures', 'telling-process.ts'),
];
const lostSpans = z.object({ before: z.int(), now: z.int() });
/** The bounds of a process. */
const [mostWaiting, atOnce] = [2_048, 512];

let collector: TraceCollector;
let child: ChildProcessByStdio<Writable, Readable, null>;
let said: Interface;
beforeEach(async () => {
  collector = await TraceCollector.start();
  child = spawn(process.execPath, program, {
    env: { PATH: process.env.PATH, COLLECTOR: `${collector.endpoint}/v1/traces` },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  said = createInterface(child.stdout);
});
afterEach(async () => {
  if (child.exitCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await collector.stop();
});

/** The process ends so many spans at once. @returns how many it had lost before, and has lost then */
async function ends(spans: number): Promise<z.infer<typeof lostSpans>> {
  const line = once(said, 'line');
  child.stdin.write(`${spans}\n`);
  const [text]: unknown[] = await line;
  return lostSpans.parse(JSON.parse(String(text)));
}

it('2,048 spans wait for a collector that hangs, one batch of them under way, and each that is left out is counted', async () => {
  collector.hangs = true;
  const first = await ends(3_000);
  expect(first).toEqual({ before: 0, now: 3_000 - mostWaiting });
  // What is under way is given up after its time, and makes room for as many.
  await eventually(async () => expect((await ends(0)).now).toBeGreaterThan(first.now), { withinMs: 30_000 });
  const { requests } = collector;
  const second = await ends(3_000);
  const givenUp = second.before - first.now;
  expect(givenUp % atOnce).toBe(0);
  expect(second.now - second.before).toBe(3_000 - givenUp);
  expect(requests).toBeLessThanOrEqual(givenUp / atOnce + 1);

  collector.hangs = false;
  await eventually(async () => expect(collector.spans.length + (await ends(0)).now).toBe(6_000), { withinMs: 60_000 });
  expect(collector.spans.length).toBeGreaterThan(0);
  expect(collector.problems).toEqual([]);
  child.stdin.end();
  expect(await once(child, 'exit')).toEqual([0, null]);
}, 120_000);

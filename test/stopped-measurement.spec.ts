import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { eventually } from './services/eventually.js';

const stack = pathToFileURL(join(__dirname, '..', 'bench', 'stack.mjs')).href;
/** A measurement that has started a process, and fails as soon as that is gone. */
const measurement = `
  import { spawn } from 'node:child_process';
  import { once } from 'node:events';
  import { Workplace } from ${JSON.stringify(stack)};
  const place = new Workplace();
  const started = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)']);
  const ended = once(started, 'exit');
  place.undo.push(async () => {
    started.kill('SIGTERM');
    await ended;
    // What else is stopped takes a while.
    await new Promise((resolve) => setTimeout(resolve, 200));
  });
  console.log(JSON.stringify({ folder: place.folder, pid: started.pid }));
  try {
    await ended;
    throw new Error('what is measured has gone');
  } finally {
    await place.clear();
  }`;
const told = z.object({ folder: z.string(), pid: z.int() });

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a measurement that is stopped', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('by %s leaves no process and no folder, and ends by it', async (signal) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', measurement], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    const [line]: unknown[] = await once(createInterface(child.stdout), 'line');
    const { folder, pid } = told.parse(JSON.parse(String(line)));
    expect([existsSync(folder), isThere(pid)]).toEqual([true, true]);
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
    expect(existsSync(folder)).toBe(false);
    await eventually(() => expect(isThere(pid)).toBe(false), { withinMs: 10_000 });
  });
});

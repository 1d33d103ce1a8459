import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/services/eventually.js';
import { patience } from '../../../test/services/patience.js';
import { lastWords } from './child-service.js';
import { Movement, usageOf } from './movement.js';

let folder: string;
let logFile: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-movement-'));
  logFile = join(folder, 'log');
  writeFileSync(logFile, '');
});
afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a program of one line, and returns when its start is over, which uses the processor too. */
async function started(line: string): Promise<number> {
  child = spawn(process.execPath, ['-e', `process.stdout.write('up'); ${line}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout) await once(child.stdout, 'data');
  return child.pid ?? -1;
}

/** Looks for longer than the child may be still. */
async function staysAwake(movement: Movement): Promise<void> {
  const begun = performance.now();
  let wasStill = false;
  await eventually(
    () => {
      wasStill ||= movement.isStill();
      expect(performance.now() - begun).toBeGreaterThan(2_000 * patience);
    },
    { withinMs: 10_000 },
  );
  expect(wasStill).toBe(false);
}

describe('a child that is starting', () => {
  it('is still when it neither writes nor computes', async () => {
    const movement = new Movement({ pid: await started('setInterval(() => {}, 1000)'), logFile }, 300);
    await eventually(() => expect(movement.isStill()).toBe(true), { withinMs: 20_000 });
  });

  it('moves as long as it writes into its log', async () => {
    const writes = `setInterval(() => require('fs').appendFileSync(${JSON.stringify(logFile)}, '.'), 20)`;
    const movement = new Movement({ pid: await started(writes), logFile }, 1_500 * patience);
    await staysAwake(movement);
  });

  it('moves as long as it, or a child of its own, computes or writes to files', async () => {
    const busy = 'const parent = process.ppid; while (process.ppid === parent);';
    const pid = await started(
      `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(busy)}]).unref()`,
    );
    const movement = new Movement({ pid }, 1_500 * patience);
    await staysAwake(movement);
    expect(usageOf(pid).cpuSeconds).toBeGreaterThan(0.5);
    child?.kill('SIGTERM');
  });

  it('is not taken for hung because the one who looks was held up', async () => {
    const movement = new Movement({ pid: await started('setInterval(() => {}, 1000)'), logFile }, 2_500);
    const begun = performance.now();
    while (performance.now() - begun < 3_000);
    expect(movement.isStill()).toBe(false);
  });
});

describe('the last words of a program', () => {
  it('are its last line that says something, without colours', () => {
    expect(lastWords('one\n\u001b[1;31mERROR\u001b[m two \r\n\n  \n')).toBe('ERROR two');
    expect(lastWords('\n')).toBe('');
  });
});

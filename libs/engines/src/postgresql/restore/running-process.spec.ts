import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../../../test/services/eventually.js';
import { isRunning, thisProcess } from './running-process.js';

const run = promisify(execFile);

describe('a process that holds a folder', () => {
  let parent: ChildProcess | undefined;
  afterEach(() => void parent?.kill('SIGKILL'));

  it('is told from another one that has its id later', () => {
    const { pid, begun } = thisProcess();
    expect(isRunning({ pid, begun })).toBe(true);
    expect(isRunning({ pid, begun: `${begun}0` })).toBe(false);
  });

  it('does not run any more when it has ended and nobody has asked how', async () => {
    // The program that takes the place of the shell knows nothing of the shell's child.
    parent = spawn('sh', ['-c', 'sleep 0.1 & exec sleep 60'], { stdio: 'ignore' });
    const childOf = async () =>
      (
        await run('ps', ['-o', 'pid=,stat=', '--ppid', String(parent?.pid)]).catch(() => ({ stdout: '' }))
      ).stdout.trim();
    await eventually(async () => expect(await childOf()).toMatch(/ Z/), { withinMs: 5_000 });
    const pid = Number.parseInt(await childOf(), 10);
    expect(isRunning({ pid, begun: null })).toBe(false);
  });
});

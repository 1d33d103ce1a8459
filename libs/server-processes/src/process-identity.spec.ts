import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { commandLineOf, endProcess, identityOf, pidOf } from './process-identity.js';

const patient = ['-e', 'setInterval(() => {}, 1000)'];
const deaf = ['-e', "process.on('SIGTERM', () => {}); console.log('ready'); setInterval(() => {}, 1000)"];

describe('the identity of a process', () => {
  it('is the same as long as it runs, and means no process afterwards', async () => {
    const child = spawn(process.execPath, patient);
    const identity = identityOf(child.pid ?? -1) ?? '';
    expect(identity).toMatch(new RegExp(`^${child.pid} `));
    expect(pidOf(identity)).toBe(child.pid);
    expect(commandLineOf(child.pid ?? -1)).toContain('setInterval');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(pidOf(identity)).toBeUndefined();
    expect(identityOf(child.pid ?? -1)).toBeUndefined();
  });

  it('is not that of another process which has the same number by now', () => {
    const mine = identityOf(process.pid) ?? '';
    expect(pidOf(mine)).toBe(process.pid);
    // The first digit of the start may be any.
    const anothers = mine.replace(/ \d/, (digit) => ` ${(Number(digit) + 1) % 10}`);
    expect(pidOf(anothers)).toBeUndefined();
    expect(pidOf('')).toBeUndefined();
  });
});

describe('ending a process', () => {
  it('ends by force one that ignores its signal', async () => {
    const child = spawn(process.execPath, deaf);
    await once(child.stdout, 'data');
    const exited = once(child, 'exit');
    await endProcess(identityOf(child.pid ?? -1) ?? '', { what: 'a deaf one', signal: 'SIGTERM', graceMs: 200 });
    expect(await exited).toEqual([null, 'SIGKILL']);
  });

  it('leaves another process with the same number alone', async () => {
    const child = spawn(process.execPath, patient);
    await endProcess(`${child.pid} 1@another-boot`, { what: 'a stranger', signal: 'SIGKILL', graceMs: 100 });
    expect(identityOf(child.pid ?? -1)).toBeDefined();
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { identityOf } from '@strongroom/server-processes';
import { FolderTaken, LauncherLock } from './launcher-lock.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the lock of a data folder', () => {
  it('tells a second launcher who has it, and at which port', () => {
    const lock = LauncherLock.take(folder, 8779);
    expect(() => LauncherLock.take(folder, 9000)).toThrow(FolderTaken);
    expect(() => LauncherLock.take(folder, 9000)).toThrow(`(pid ${process.pid}, port 8779) runs on ${folder}`);
    lock.release();
    LauncherLock.take(folder, 9000).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('passes on from a launcher that was killed', async () => {
    const killed = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    writeFileSync(join(folder, 'launcher.pid'), `${identityOf(killed.pid ?? -1)}\n8779\n`);
    expect(() => LauncherLock.take(folder, 8779)).toThrow(FolderTaken);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    LauncherLock.take(folder, 8779).release();
  });
});

import { appendFileSync, closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GuestLog } from './guest-log.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-log-'));
  path = join(folder, 'guest.log');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the log of a built server', () => {
  it('stays short while the server writes, and the server goes on writing', async () => {
    const log = new GuestLog(path, 1_000);
    log.begin();
    const ofServer = openSync(path, 'a');
    writeSync(ofServer, 'x'.repeat(1_000));
    await log.shorten();
    expect(log.sizeBytes).toBe(1_000);
    writeSync(ofServer, 'x');
    await log.shorten();
    expect(log.sizeBytes).toBe(0);
    writeSync(ofServer, 'LOG: it goes on');
    closeSync(ofServer);
    expect(log.sizeBytes).toBe(15);
  });

  it('is read by the operator alone, and no more than its end is told', () => {
    const log = new GuestLog(path);
    log.begin();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    appendFileSync(path, `FATAL: the first\n${'DETAIL: x\n'.repeat(10_000)}FATAL: the last \u001b[2J\n`);
    const told = log.told(0, 'ended');
    expect(told).toContain('FATAL: the last');
    expect(told).not.toContain('the first');
    expect(told).not.toContain('\u001b');
    expect(told.length).toBeLessThan(2_000);
  });
});

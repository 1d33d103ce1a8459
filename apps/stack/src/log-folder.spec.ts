import { appendFileSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LogFolder } from './log-folder.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-logs-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a log', () => {
  it('stays within its limit while its writer holds it open, and what was before is kept once', () => {
    const logs = new LogFolder(join(folder, 'log'), 100);
    const held = openSync(logs.file('kafka'), 'a');
    writeSync(held, 'a'.repeat(101));
    logs.bound();
    writeSync(held, 'b');
    expect(readFileSync(logs.file('kafka'), 'utf8')).toBe('b');
    expect(statSync(`${logs.file('kafka')}.1`).size).toBe(101);
    appendFileSync(logs.file('kafka'), 'b'.repeat(100));
    logs.bound();
    expect(readFileSync(`${logs.file('kafka')}.1`, 'utf8')).toBe('b'.repeat(101));
    logs.end();
  });

  it('that is short is left alone', () => {
    const logs = new LogFolder(folder, 100);
    appendFileSync(logs.file('api'), 'short');
    logs.bound();
    expect(readFileSync(logs.file('api'), 'utf8')).toBe('short');
    logs.end();
  });
});

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { StackFile } from './stack-file.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-stack-file-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const known = {
  api: 'http://127.0.0.1:8779',
  accountId: 'demo',
  otherAccountId: 'other',
  homeRegion: 'DFW',
  tokens: { admin: 'a', creator: 'b', observer: 'c', other: 'd' },
  vaults: { DFW: 'file:///DFW' },
};
const rest = { postgres: 'postgres://x', broker: 'embedded' } as const;
const read = () => JSON.parse(readFileSync(join(folder, 'stack.json'), 'utf8'));

describe('stack.json', () => {
  it('appears when it is whole, for its owner only', () => {
    const file = new StackFile(folder);
    file.change(known);
    file.runs('postgres', 1);
    expect(readdirSync(folder)).toEqual([]);
    file.change(rest);
    expect(read()).toEqual({ ...known, ...rest, instanceId: null, pids: { postgres: 1 }, health: {} });
    expect(statSync(join(folder, 'stack.json')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['stack.json']);
  });

  it('tells of a process only while it runs', () => {
    const file = new StackFile(folder);
    file.change({ ...known, ...rest });
    file.runs('api', 2);
    file.runs('scheduler', 3, 'http://127.0.0.1:1');
    expect(read()).toMatchObject({ pids: { api: 2, scheduler: 3 }, health: { scheduler: 'http://127.0.0.1:1' } });
    file.runsNot('scheduler');
    expect(read()).toMatchObject({ pids: { api: 2 }, health: {} });
    expect(read().pids).toEqual({ api: 2 });
  });

  it('no longer says what a launcher that was killed left in it, and keeps the instance', () => {
    const killed = new StackFile(folder);
    killed.change({ ...known, ...rest, instanceId: 'known' });
    killed.runs('api', 2);
    const next = new StackFile(folder);
    expect(read()).toMatchObject({ pids: {}, health: {}, instanceId: 'known', vaults: known.vaults });
    next.change({ ...known, ...rest });
    expect(next.current.instanceId).toBe('known');
  });

  it('is begun anew when it can’t be read', () => {
    writeFileSync(join(folder, 'stack.json'), '{"api":');
    const file = new StackFile(folder);
    file.change({ ...known, ...rest });
    expect(read().instanceId).toBeNull();
  });
});

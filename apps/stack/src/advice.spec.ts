import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { adviceOn } from './advice.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-advice-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const refused = (code: string, path: string) => Object.assign(new Error(`${code}: no`), { code, path });

describe('the advice on a file that may not be changed', () => {
  it('names whose folder it is, and how to get it', () => {
    const mine = process.getuid?.() ?? 0;
    const others = adviceOn(refused('EACCES', join(folder, 'launcher.pid.1')), mine + 1);
    expect(others).toContain(`\n${folder} belongs to `);
    expect(others).toContain(`sudo chown -R ${mine + 1} ${folder}`);
    expect(adviceOn(refused('EACCES', join(folder, 'x')), mine)).toContain(`chmod -R u+rwX ${folder}`);
    expect(adviceOn(refused('EROFS', join(folder, 'x')), mine)).toContain('can only be read');
  });

  it('is none for any other error', () => {
    expect(adviceOn(refused('ENOSPC', folder))).toBe('');
    expect(adviceOn(new Error('no'))).toBe('');
    expect(adviceOn(undefined)).toBe('');
  });
});

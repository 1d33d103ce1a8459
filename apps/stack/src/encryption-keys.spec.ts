import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { parseIdentities } from '@strongroom/encryption';
import { settings } from '@strongroom/runtime';
import { readOrMakeKeys } from './encryption-keys.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('makes keys at the first start, which only their owner can read, and keeps them', () => {
  const first = readOrMakeKeys(folder);
  expect(first.isNew).toBe(true);
  expect(statSync(first.backupKeyFile).mode & 0o777).toBe(0o600);
  expect(parseIdentities(readFileSync(first.backupKeyFile, 'utf8'))).toHaveLength(1);
  expect(readOrMakeKeys(folder)).toEqual({ ...first, isNew: false });
});

it('gives the services what their settings take', () => {
  const { environment } = readOrMakeKeys(folder);
  for (const [name, value = ''] of Object.entries(environment)) {
    const setting = settings.find((each) => name === each.name || name === `${each.name}_FILE`);
    const text = name.endsWith('_FILE') ? readFileSync(value, 'utf8').trim() : value;
    expect([name, setting?.form.schema.safeParse(text).success]).toEqual([name, true]);
  }
});

it('makes no other key in the place of one that was lost', () => {
  const { backupKeyFile } = readOrMakeKeys(folder);
  writeFileSync(backupKeyFile, '');
  expect(() => readOrMakeKeys(folder)).toThrow('Put the key back that was there');
});

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const script = join(__dirname, 'set-up.mjs');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-set-up-'));
  mkdirSync(join(folder, 'node_modules'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const wanted = {
  '': { version: '1.0.0' },
  'node_modules/pg': { version: '8.23.1', integrity: 'sha512-a' },
  'node_modules/for-another-machine': { version: '1.0.0', integrity: 'sha512-b', optional: true },
};

async function isInstalled(there: object | undefined): Promise<boolean> {
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: wanted }));
  if (there) {
    writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: there }));
  }
  const ask = `import { isInstalled } from ${JSON.stringify(script)}; console.log(isInstalled(${JSON.stringify(folder)}))`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', ask]);
  return JSON.parse(stdout);
}

describe('what is installed', () => {
  it('is enough when it is what the lock file asks for on this machine', async () => {
    expect(await isInstalled({ 'node_modules/pg': { version: '8.23.1', integrity: 'sha512-a' } })).toBe(true);
  });

  it('is not enough when a package is missing, older or another', async () => {
    expect(await isInstalled(undefined)).toBe(false);
    expect(await isInstalled({})).toBe(false);
    expect(await isInstalled({ 'node_modules/pg': { version: '8.22.0', integrity: 'sha512-a' } })).toBe(false);
    expect(await isInstalled({ 'node_modules/pg': { version: '8.23.1', integrity: 'sha512-z' } })).toBe(false);
  });
});

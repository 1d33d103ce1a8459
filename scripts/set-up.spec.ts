import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

describe('what is being installed', () => {
  it.each([{ NODE_ENV: 'production' }, { npm_config_omit: 'optional' }, { npm_config_production: 'true' }])(
    'is whole, whatever the environment says: %j',
    async (env: NodeJS.ProcessEnv) => {
      for (const name of ['built-with', 'for-this-machine']) {
        mkdirSync(join(folder, name));
        writeFileSync(join(folder, name, 'package.json'), JSON.stringify({ name, version: '1.0.0' }));
      }
      const description = {
        name: 'strongroom-of-spec',
        version: '1.0.0',
        devDependencies: { 'built-with': 'file:built-with' },
        optionalDependencies: { 'for-this-machine': 'file:for-this-machine' },
      };
      writeFileSync(join(folder, 'package.json'), JSON.stringify(description));
      const { PATH } = process.env;
      const plain = { PATH, HOME: folder };
      await promisify(execFile)('npm', ['install', '--package-lock-only', '--offline'], { cwd: folder, env: plain });
      const install = `import { install } from ${JSON.stringify(script)}; await install(${JSON.stringify(folder)})`;
      await promisify(execFile)(process.execPath, ['--input-type=module', '-e', install], {
        env: { ...plain, ...env },
      });
      expect(readdirSync(join(folder, 'node_modules'))).toEqual(
        expect.arrayContaining(['built-with', 'for-this-machine']),
      );
    },
    60_000,
  );
});

describe('npm start', () => {
  it('shows its help and the options of the launcher before anything is built or installed', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(__dirname, 'start.mjs'), '--help'], {
      cwd: folder,
    });
    expect(stdout).toBe(readFileSync(join(__dirname, '..', 'apps', 'stack', 'help.txt'), 'utf8'));
    for (const option of ['--no-demo', '--broker', '--port', '--data']) expect(stdout).toContain(option);
  });

  it.each([
    [0, 1000, "This folder belongs to another user (1000). What is installed and built now will be root's"],
    [0, 0, undefined],
    [1000, 1000, undefined],
    [1000, 0, undefined],
  ])('tells root whose folder it is: user %d, owner %d', async (uid, owner, advice) => {
    const ask = `import { adviceOnOwner } from ${JSON.stringify(script)}; console.log(JSON.stringify(adviceOnOwner(${uid}, ${owner}) ?? null))`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', ask]);
    if (advice === undefined) expect(JSON.parse(stdout)).toBeNull();
    else expect(JSON.parse(stdout)).toContain(advice.replace('This', 'this'));
  });
});

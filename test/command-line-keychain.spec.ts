import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { accountId, Gateway } from '../apps/api/fixtures/gateway.js';
import { exitCodes } from '../apps/cli/src/exit-codes.js';
import { StandInKeychain } from './services/keychains.js';
import { lacks } from './services/outside-parts.js';
import { runStrongroom } from './services/run-strongroom.js';

const cli = join(__dirname, '..', 'dist', 'apps', 'cli', 'src', 'main.js');

let gateway: Gateway;
let folder: string;
let standIn: StandInKeychain;
let tokenFile: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-keychain-commands-'));
  gateway = await Gateway.open();
  standIn = new StandInKeychain(folder);
  tokenFile = join(folder, 'token');
  await writeFile(tokenFile, gateway.tokenOf('admin'));
});
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

const env = () => ({ HOME: folder, PATH: standIn.path });
const run = (args: readonly string[], more: Record<string, string> = {}) =>
  runStrongroom([...args], { ...env(), ...more }, folder);
const login = (...args: string[]) =>
  run(['login', '--url', gateway.url, '--account', accountId, '--token-file', tokenFile, ...args]);
const config = () => readFile(join(folder, '.config', 'strongroom', 'config.json'), 'utf8');
const tokenIn = async () => (await run(['profile', 'list', '--plain'])).stdout.trim().split('\t').at(-1);

it('keeps the token in the keychain alone, reads it from there, and leaves it there at the next sign-in', async () => {
  expect(await login('--keychain')).toMatchObject({
    code: exitCodes.done,
    stdout: '',
    output: expect.stringContaining('the keychain has its token'),
  });
  const written = await config();
  expect(written).not.toContain(gateway.tokenOf('admin'));
  expect(standIn.words).not.toContain(gateway.tokenOf('admin'));
  expect(await tokenIn()).toBe('keychain');
  expect((await run(['region', 'list', '--plain'])).code).toBe(exitCodes.done);
  expect((await login()).code).toBe(exitCodes.done);
  expect(await config()).toBe(written);
});

it('takes the token of the call and of the environment first, and asks the keychain for nothing then', async () => {
  const before = standIn.words;
  expect((await run(['region', 'list', '--token-file', tokenFile])).code).toBe(exitCodes.done);
  const wrong = await run(['region', 'list'], { STRONGROOM_TOKEN: 'no-token-of-anybody' });
  expect(wrong.code).toBe(exitCodes.credentials);
  expect(standIn.words).toBe(before);
});

it('says what to do where the keychain is locked or has no program, and changes no profile', async () => {
  const written = await config();
  standIn.lock();
  try {
    for (const refused of [await run(['region', 'list']), await login()])
      expect(refused).toMatchObject({ code: exitCodes.credentials, output: expect.stringContaining('locked object') });
  } finally {
    standIn.unlock();
  }
  const none = await run(['region', 'list'], { PATH: join(folder, 'nothing') });
  expect(none).toMatchObject({ code: exitCodes.credentials, output: expect.stringContaining('libsecret-tools') });
  expect(await config()).toBe(written);
});

it('gives the token back to the file with --no-keychain, and forgets it with the profile', async () => {
  expect((await login('--no-keychain')).code).toBe(exitCodes.done);
  expect(await config()).toContain(gateway.tokenOf('admin'));
  expect([await tokenIn(), standIn.words.trim().split('\n').at(-1)]).toEqual([
    'file',
    expect.stringMatching(/^clear /),
  ]);
  await login('--keychain');
  expect((await run(['profile', 'remove', 'default'])).code).toBe(exitCodes.done);
  expect(standIn.words.trim().split('\n').at(-1)).toMatch(/^clear /);
  expect(await config()).not.toContain('default');
});

describe('the keychain of this system', () => {
  const missing = ['secret-tool', 'gnome-keyring-daemon', 'dbus-run-session'].filter(
    (name) => spawnSync('sh', ['-c', 'command -v "$1"', 'sh', name]).status !== 0,
  );
  const why = `There is no ${missing.join(', ')}.`;
  if (missing.length > 0) {
    lacks('secret-tool', why);
    it.todo(`was NOT RUN: ${why}`);
    return;
  }

  it('keeps a token, gives it, and forgets it, by the real secret-tool in a session of its own', async () => {
    const script = [
      'set -euo pipefail',
      'printf password | gnome-keyring-daemon --unlock --components=secrets > /dev/null',
      `strongroom() { '${process.execPath}' '${cli}' "$@"; }`,
      `strongroom login --url '${gateway.url}' --account '${accountId}' --token-file '${tokenFile}' --keychain`,
      'strongroom region list --plain',
      `id=$(grep -o '"keychain": "[^"]*' .config/strongroom/config.json | cut -d '"' -f 4)`,
      'secret-tool lookup service strongroom id "$id"; echo',
      'strongroom profile remove default',
      'secret-tool lookup service strongroom id "$id" || echo "ended with $?"',
    ].join('\n');
    const own = join(folder, 'session');
    await mkdir(own, { mode: 0o700 });
    const child = spawn('dbus-run-session', ['--', 'bash', '-c', script], {
      cwd: own,
      env: { PATH: process.env.PATH, HOME: own, XDG_RUNTIME_DIR: own },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const lines = stdout.trim().split('\n');
    expect(lines.at(-2)).toBe(gateway.tokenOf('admin'));
    expect(lines.at(-1)).toBe('ended with 1');
    expect(lines[0]).toMatch(/^DFW\t/);
  });
});

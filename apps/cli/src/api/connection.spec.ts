import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CredentialFault, UsageFault } from '../command-fault.js';
import { configPath, writeConfig } from './config-file.js';
import { connectionOf, mustBeSafe } from './connection.js';

const home = { url: 'https://home.example.com', account: 'home', token: 'of-home' };
const work = { url: 'https://work.example.com/', account: 'work', token: 'of-work' };
const before = process.cwd();
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-connection-'));
  // The folder of the project may have a local stack.
  process.chdir(folder);
  env = { XDG_CONFIG_HOME: folder };
  await writeConfig(configPath(env), { current: 'home', profiles: { home, work } });
  await writeFile(join(folder, 'token'), 'of-file\n');
});
afterAll(async () => {
  process.chdir(before);
  await rm(folder, { recursive: true, force: true });
});

describe('the service that a command asks', () => {
  it('is that of the current profile, else that of the environment, else that of an option', async () => {
    expect(await connectionOf({}, env)).toEqual({ ...home, profile: 'home' });
    expect(await connectionOf({}, { ...env, STRONGROOM_PROFILE: 'work' })).toEqual({ ...work, profile: 'work' });
    expect(await connectionOf({ profile: 'home' }, { ...env, STRONGROOM_PROFILE: 'work' })).toMatchObject(home);
    const ofEnvironment = { ...env, STRONGROOM_ACCOUNT: 'other', STRONGROOM_TOKEN: 'of-environment' };
    expect(await connectionOf({}, ofEnvironment)).toMatchObject({ account: 'other', token: 'of-environment' });
    const options = { account: 'third', tokenFile: join(folder, 'token') };
    expect(await connectionOf(options, ofEnvironment)).toMatchObject({ account: 'third', token: 'of-file' });
  });

  it('needs no file when everything is given', async () => {
    const whole = { STRONGROOM_URL: 'http://127.0.0.1:8779', STRONGROOM_ACCOUNT: 'a', STRONGROOM_TOKEN: 't' };
    await writeFile(join(folder, 'wrong'), 'no folder');
    const connection = { url: 'http://127.0.0.1:8779', account: 'a', token: 't', profile: undefined };
    expect(await connectionOf({}, { ...whole, XDG_CONFIG_HOME: join(folder, 'wrong') })).toEqual(connection);
  });

  it('gets no token that was given for another one', async () => {
    const elsewhere = connectionOf({ url: 'https://evil.example.com' }, env);
    await expect(elsewhere).rejects.toBeInstanceOf(CredentialFault);
    await expect(elsewhere).rejects.toThrow('The token of https://home.example.com is sent nowhere else.');
    const same = await connectionOf({ url: 'https://work.example.com', profile: 'work' }, env);
    expect(same.token).toBe('of-work');
  });

  it('is named by a profile that there is', async () => {
    for (const profile of ['nobody', 'toString', '__proto__']) {
      const unknown = connectionOf({ profile }, env);
      await expect(unknown).rejects.toThrow(
        `There is no profile ${profile}. There are home, work. Run: strongroom login`,
      );
      await expect(unknown).rejects.toBeInstanceOf(UsageFault);
    }
    await expect(connectionOf({}, { XDG_CONFIG_HOME: join(folder, 'none') })).rejects.toThrow('Run: strongroom login');
  });

  it('is the local stack of the folder when there is no profile, and never beside one', async () => {
    await mkdir(join(folder, '.strongroom'));
    const ofStack = { api: 'http://127.0.0.1:8779', accountId: 'demo', tokens: { admin: 'of-stack' } };
    await writeFile(join(folder, '.strongroom', 'stack.json'), JSON.stringify(ofStack));
    const found = { url: ofStack.api, account: 'demo', token: 'of-stack', profile: undefined };
    expect(await connectionOf({}, { XDG_CONFIG_HOME: join(folder, 'none') })).toEqual(found);
    expect(await connectionOf({}, env)).toMatchObject(home);
    const elsewhere = connectionOf({ url: 'https://evil.example.com' }, { XDG_CONFIG_HOME: join(folder, 'none') });
    await expect(elsewhere).rejects.toBeInstanceOf(CredentialFault);
  });

  it('is asked in clear on this machine alone, unless that is written', () => {
    for (const url of ['http://127.0.0.1:1', 'http://localhost', 'http://[::1]:8', 'https://a.example.com/prefix'])
      expect(() => mustBeSafe(url, false)).not.toThrow();
    expect(() => mustBeSafe('http://a.example.com', false)).toThrow('The token would go to a.example.com in clear.');
    expect(() => mustBeSafe('http://a.example.com', true)).not.toThrow();
    for (const url of [
      'a.example.com',
      'ftp://a.example.com',
      'https://a.example.com/?x=1',
      'https://u:p@a.example.com',
    ])
      expect(() => mustBeSafe(url, true)).toThrow(UsageFault);
  });

  it('gets no token that a header cannot carry, and the message does not quote it', async () => {
    const wrong = connectionOf({}, { ...env, STRONGROOM_TOKEN: 'se cret' });
    await expect(wrong).rejects.toBeInstanceOf(CredentialFault);
    await expect(wrong).rejects.not.toThrow('cret');
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { StandInKeychain } from '../../../../test/services/keychains.js';
import { CredentialFault } from '../command-fault.js';
import { Keychain } from './keychain.js';

const [home, work] = [
  { id: '0192f0c1-5b7e-7c3a-9d5e-0c8f6a1b2c3d', profile: 'home' },
  { id: '0192f0c1-5b7e-7c3a-9d5e-0c8f6a1b2c3e', profile: 'work' },
];
/** Every character that a token may have. */
const token = Array.from({ length: 0x7f - 0x21 }, (_, n) => String.fromCharCode(0x21 + n)).join('');

describe.each([
  ['linux', 'secret-tool', 'libsecret-tools'],
  ['darwin', 'security', '/usr/bin'],
] as const)('the keychain of %s, by %s,', (platform, program, advice) => {
  let folder: string;
  let standIn: StandInKeychain;
  let keychain: Keychain;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-keychain-'));
    standIn = new StandInKeychain(folder);
    keychain = new Keychain({ PATH: standIn.path }, platform);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('gives a token as it was given, a newer one in its place, and each profile its own', async () => {
    await keychain.keep(home, 'the one before');
    await keychain.keep(home, token);
    await keychain.keep(work, 'of work');
    expect([await keychain.tokenOf(home), await keychain.tokenOf(work)]).toEqual([token, 'of work']);
    expect(standIn.words).toContain(home.id);
    for (const secret of [token, 'of work', Buffer.from(token).toString('hex')])
      expect(standIn.words).not.toContain(secret);
  });

  it('forgets a token, and does not mind one that it does not have', async () => {
    await keychain.keep(home, token);
    await keychain.remove(home);
    await keychain.remove(home);
    const missing = keychain.tokenOf(home);
    await expect(missing).rejects.toBeInstanceOf(CredentialFault);
    await expect(missing).rejects.toThrow('Sign in again: strongroom login --profile home');
  });

  it('keeps nothing while it is locked, and that is said', async () => {
    standIn.lock();
    try {
      const refused = keychain.keep(work, 'another');
      await expect(refused).rejects.toBeInstanceOf(CredentialFault);
      await expect(refused).rejects.toThrow(/unlocked\. Or keep the token in a file.*--no-keychain/);
    } finally {
      standIn.unlock();
    }
  });

  it('is not there without its program, and the message says where that comes from', async () => {
    const none = new Keychain({ PATH: join(folder, 'nothing') }, platform).tokenOf(home);
    await expect(none).rejects.toBeInstanceOf(CredentialFault);
    await expect(none).rejects.toThrow(new RegExp(`asked by ${program}, which is not there.*${advice}.*--no-keychain`));
  });
});

it('of macOS takes no token that its program would cut off', async () => {
  const keychain = new Keychain({ PATH: '/nowhere' }, 'darwin');
  await expect(keychain.keep(home, 'x'.repeat(4_000))).rejects.toThrow('too long for the keychain of macOS');
});

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { kmsProgram, shellProgram } from '../../../test/services/kms-program.js';
import { openKeys, readKeys, rewrapKeys, writeKeys } from './keys.js';
import { newFileKey } from './object-cipher.js';
import { identityFrom, recipientFrom, recipientOf } from './recipients.js';
import { newIdentity } from './x25519.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-command-key-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const program = (name: string, ...lines: string[]) => shellProgram(join(folder, name), ...lines);
const kms = () => kmsProgram(folder, join(folder, 'asked'));
const about = { of: 'a-backup', manifestSha256: 'ab'.repeat(32), fileKey: newFileKey('age-encryption.org/v1') };

describe('a key that a program keeps', () => {
  it('wraps the key of a backup and unwraps it, and is named in the header', async () => {
    const key = `command:${kms()} projects/one/keys/two`;
    const header = await writeKeys(about, [recipientFrom(key, 'the KMS')]);
    expect(readKeys(header).recipients).toEqual([{ id: 'command:projects/one/keys/two', name: 'the KMS' }]);
    expect(await openKeys(header, [identityFrom(key)])).toMatchObject({ fileKey: about.fileKey });
    expect(readFileSync(join(folder, 'asked'), 'utf8')).toBe(
      'wrap\nprojects/one/keys/two\nunwrap\nprojects/one/keys/two\n',
    );
  });

  it('wraps the key of a backup in AES-256-GCM as well, which no key of age does', async () => {
    const ofAes = { ...about, fileKey: newFileKey('tink/AES256_GCM_HKDF_1MB') };
    const key = `command:${kms()} two`;
    const header = await writeKeys(ofAes, [recipientFrom(key)]);
    expect(await openKeys(header, [identityFrom(key)])).toMatchObject({ fileKey: ofAes.fileKey });
    const unfit = {
      code: 'key-invalid',
      message: expect.stringMatching(/is wrapped by programs, like command:.* by no key of age, which age1/),
    };
    const ofAge = recipientOf(newIdentity());
    await expect(writeKeys(ofAes, [recipientFrom(key), ofAge])).rejects.toMatchObject(unfit);
    await expect(rewrapKeys(header, [identityFrom(key)], [ofAge])).rejects.toMatchObject(unfit);
  });

  it('is asked without a shell', async () => {
    const key = `command:${kms()} $(touch\${IFS}${join(folder, 'made')});*`;
    await writeKeys(about, [recipientOf(key)]);
    expect(readFileSync(join(folder, 'asked'), 'utf8')).toMatch(/\$\(touch\$\{IFS\}/);
    expect(() => readFileSync(join(folder, 'made'))).toThrow();
  });

  it('can take the place of another one, and opens nothing of other keys', async () => {
    const key = `command:${kms()} two`;
    const first = newIdentity();
    const header = await writeKeys(about, [recipientOf(first)]);
    const rewrapped = await rewrapKeys(header, [identityFrom(first)], [recipientFrom(key)]);
    expect(await openKeys(rewrapped, [identityFrom(key)])).toMatchObject({ fileKey: about.fileKey });
    await expect(openKeys(rewrapped, [identityFrom(first)])).rejects.toMatchObject({
      code: 'key-missing',
      message: expect.stringContaining('command:two'),
    });
    await expect(openKeys(header, [identityFrom(key)])).rejects.toMatchObject({ code: 'key-missing' });
  });

  it('whose program fails says what the program said, and can be asked again', async () => {
    const failing = program('failing', `echo "the vault of keys is sealed" >&2`, 'exit 3');
    await expect(writeKeys(about, [recipientFrom(`command:${failing} two`)])).rejects.toMatchObject({
      code: 'key-command-failed',
      retryable: true,
      message: expect.stringMatching(/could not wrap .* ended with 3.*the vault of keys is sealed/),
    });
  });

  it('whose program is missing, or gives nothing, wraps nothing', async () => {
    for (const path of [join(folder, 'none'), program('silent', 'cat > /dev/null')]) {
      await expect(writeKeys(about, [recipientFrom(`command:${path} two`)])).rejects.toMatchObject({
        code: 'key-command-failed',
      });
    }
  });

  it('whose program says without end is not kept in memory', async () => {
    const wordy = program('wordy', 'head --bytes=20000000 /dev/zero >&2', 'exit 1');
    const fault = await writeKeys(about, [recipientFrom(`command:${wordy} two`)]).catch((error: unknown) => error);
    expect(String(fault).length).toBeLessThan(1_000);
  });

  it('that gives another key than the one of the backup opens nothing', async () => {
    const header = await writeKeys(about, [recipientFrom(`command:${kms()} two`)]);
    const wrong = program('wrong', `head --bytes=16 /dev/zero | base64`);
    await expect(openKeys(header, [identityFrom(`command:${wrong} two`)])).rejects.toMatchObject({
      code: 'ciphertext-altered',
    });
  });

  it.each(['kms two', '/kms', '/kms two three', '/kms tw\u00f6'])('is not written as %j', (text) => {
    expect(() => recipientFrom(`command:${text}`)).toThrow(expect.objectContaining({ code: 'key-invalid' }));
  });
});

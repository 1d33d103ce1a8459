/** Restores a vault's bytes in AES-256-GCM with Tink, zstd, tar, and the program that keeps the key, and reads what Tink encrypts. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ObjectCipher } from '@strongroom/encryption';
import { type GoProgram, goProgram } from '../../../test/services/go-program.js';
import { lacks } from '../../../test/services/outside-parts.js';
import { archiveFiles } from '../fixtures/archive-engine.js';
import { EncryptedScene, formats } from '../fixtures/encrypted-scene.js';

const without = ['zstd', 'tar']
  .filter((program) => spawnSync(program, ['--version']).error)
  .map((name) => `there is no ${name} here`);
const maxBuffer = 67_108_864;
const format = formats['aes-gcm'];

let tink: GoProgram | undefined;
let scene: EncryptedScene;
beforeAll(async () => {
  tink = await goProgram('tink');
}, 300_000);
afterAll(() => tink?.remove());
beforeEach(async () => {
  scene = await EncryptedScene.open('aes-gcm');
});
afterEach(() => scene.remove());

/** What stands behind the stanza of a program in the keys of a backup, padded. */
function wrappedIn(keys: string): string {
  const [, body = ''] = /^-> strongroom\.command owner\n([A-Za-z0-9+/]+)$/m.exec(keys) ?? [];
  return body.padEnd(Math.ceil(body.length / 4) * 4, '=');
}

const run = (what: 'encrypt' | 'decrypt', key: string, associatedData: string, input: Buffer) =>
  execFileSync(tink?.path ?? '', [what, key, associatedData], { input, maxBuffer, stdio: 'pipe' });

describe('Tink, zstd and tar alone', () => {
  it.each([
    ['objects', /^base\.tar\.zst\.\d{6}$/],
    ['folder', /^base\.tar\.zst$/],
  ])('restore a backup from a vault of %s, and no segment is another one', async (kind, isSegment) => {
    if (!tink) return;
    if (without.length > 0) return lacks('age', without.join(', '));
    const vault = await scene.vault(kind, 'DFW');
    const { backupId } = await scene.backUp(vault);
    const place = join(scene.folder, 'DFW', (await vault.locationOf(backupId)) ?? '');
    const names = readdirSync(place).sort();
    const keys = readFileSync(join(place, names.find((name) => name.startsWith('keys.age')) ?? ''), 'latin1');
    const key = execFileSync(join(scene.folder, 'kms'), ['unwrap', 'owner'], { input: wrappedIn(keys) })
      .toString()
      .trim();
    const segments = names.filter((name) => isSegment.test(name)).map((name) => readFileSync(join(place, name)));
    const at = (segment: number) => `${backupId}/base.tar.zst/${segment}/acme`;
    const compressed = segments.map((segment, index) => run('decrypt', key, at(index), segment));
    const archive = execFileSync('zstd', ['--decompress', '--stdout'], { input: Buffer.concat(compressed), maxBuffer });
    const directory = join(scene.folder, 'by-hand');
    mkdirSync(directory);
    execFileSync('tar', ['--extract', '--directory', directory], { input: archive });
    for (const [name, content] of Object.entries(archiveFiles))
      expect(readFileSync(join(directory, name), 'utf8')).toBe(content);
    expect(segments.length).toBeGreaterThan(kind === 'objects' ? 2 : 0);
    const [first = Buffer.alloc(0)] = segments;
    for (const elsewhere of [at(1), at(0).replace('acme', 'evil'), at(0).replace('base', 'other'), ''])
      expect(() => run('decrypt', key, elsewhere, first)).toThrow('no matching key found');
  });

  it.each([0, 1, 1_048_520, 1_048_521, 2_097_081])(
    'a payload of Tink of %d bytes is read by our code, and the other way round',
    (size) => {
      if (!tink) return;
      const key = randomBytes(32);
      const content = randomBytes(size);
      const at = 'a-backup/base.tar.zst/2/acme';
      const cipher = new ObjectCipher(format, key, {
        accountId: 'acme',
        backupId: 'a-backup',
        objectName: 'base.tar.zst',
      });
      const reader = cipher.reader(2);
      const theirs = run('encrypt', key.toString('base64'), at, content);
      expect(Buffer.concat([...reader.update(theirs), reader.end()]).equals(content)).toBe(true);
      const writer = cipher.writer(2);
      const ours = Buffer.concat([...writer.update(content), ...writer.end()]);
      expect(run('decrypt', key.toString('base64'), at, ours).equals(content)).toBe(true);
    },
  );
});

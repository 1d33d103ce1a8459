/** Reads what Strongroom encrypts with programs that know nothing of it, and what they encrypt with our code. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ObjectCipher, parseHeader } from '@strongroom/encryption';
import { goTool } from '../../../test/services/go-program.js';
import { lacks } from '../../../test/services/outside-parts.js';
import { archiveFiles } from '../fixtures/archive-engine.js';
import { EncryptedScene } from '../fixtures/encrypted-scene.js';

const age = goTool('test/age', 'filippo.io/age', 'cmd/age');
/** The format has no place for it. */
const anywhere = { accountId: '', backupId: '', objectName: '' };
const without = [
  ...(age.path === undefined ? [age.why] : []),
  ...['zstd', 'tar']
    .filter((program) => spawnSync(program, ['--version']).error)
    .map((name) => `there is no ${name} here`),
];

describe('age, zstd and tar alone', () => {
  const path = age.path;
  if (path === undefined || without.length > 0) {
    lacks('age', without.join(', '));
    it.todo(`was NOT RUN: ${without.join(', ')}`);
    return;
  }
  let scene: EncryptedScene;
  let identity: string;
  beforeEach(async () => {
    scene = await EncryptedScene.open();
    identity = join(scene.folder, 'owner.txt');
    writeFileSync(identity, `# the key of the owner\n${scene.owner.text}\n`);
  });
  afterEach(() => scene.remove());

  const decrypted = (file: Buffer) =>
    execFileSync(path, ['--decrypt', '--identity', identity], { input: file, maxBuffer: 67_108_864 });

  it.each([
    ['objects', /^base\.tar\.zst\.\d{6}$/],
    ['folder', /^base\.tar\.zst$/],
  ])(
    'restore a backup from a vault of %s',
    async (kind, isSegment) => {
      const vault = await scene.vault(kind, 'DFW');
      const { backupId } = await scene.backUp(vault);
      const place = join(scene.folder, 'DFW', (await vault.locationOf(backupId)) ?? '');
      const names = readdirSync(place).sort();
      const keys = readFileSync(join(place, names.find((name) => name.startsWith('keys.age')) ?? ''));
      const segments = names.filter((name) => isSegment.test(name));
      const compressed = segments.map((name) => decrypted(Buffer.concat([keys, readFileSync(join(place, name))])));
      const archive = execFileSync('zstd', ['--decompress', '--stdout'], {
        input: Buffer.concat(compressed),
        maxBuffer: 67_108_864,
      });
      const directory = join(scene.folder, 'by-hand');
      mkdirSync(directory);
      execFileSync('tar', ['--extract', '--directory', directory], { input: archive });
      for (const [name, content] of Object.entries(archiveFiles))
        expect(readFileSync(join(directory, name), 'utf8')).toBe(content);
      expect(segments.length).toBeGreaterThan(kind === 'objects' ? 2 : 0);
    },
    60_000,
  );

  it.each([0, 1, 65_535, 65_536, 65_537, 1_000_003])('a file of age of %d bytes is read by our code', async (size) => {
    const content = randomBytes(size);
    const file = execFileSync(path, ['--encrypt', '--recipient', scene.owner.id], {
      input: content,
      maxBuffer: 67_108_864,
    });
    const { stanzas, bytes: headerBytes } = parseHeader(file);
    const fileKey = (await scene.owner.unwrap(stanzas)) ?? Buffer.alloc(0);
    const cipher = new ObjectCipher('age-encryption.org/v1', fileKey, anywhere);
    const reader = cipher.reader(0);
    expect(Buffer.concat([...reader.update(file.subarray(headerBytes)), reader.end()]).equals(content)).toBe(true);
    const writer = cipher.writer(0);
    const ours = Buffer.concat([file.subarray(0, headerBytes), ...writer.update(content), ...writer.end()]);
    expect(decrypted(ours).equals(content)).toBe(true);
  });
});

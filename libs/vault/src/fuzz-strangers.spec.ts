/** Manifests and states of backups as a stranger may leave them in a vault, which nobody thought of: each is read, or refused by a fault of ours. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from '@jest/globals';
import { fuzz, fuzzLimitMs } from '../../../test/services/fuzzed.js';
import { sampleManifest, storeSample } from '../fixtures/sample-backup.js';
import { DirectoryVault } from './directory/directory-vault.js';
import { manifestBytes, parseManifest } from './manifest.js';

const backupId = '0198c0de-0000-7000-8000-00000000beef';
const object = {
  name: 'base.tar.zst',
  sizeBytes: 5,
  sha256: 'a'.repeat(64),
  rawBytes: 9,
  compression: 'zstd',
} as const;
const good = {
  ...sampleManifest(backupId, 'DFW', [object, { ...object, name: 'backup_manifest.zst' }]),
  // What is changed in it stays good, mostly.
  instanceName: 'orders '.repeat(1_000),
};
const changed = (change: object) => Buffer.from(JSON.stringify({ ...good, ...change }));

describe('bytes of strangers in a vault', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-fuzz-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it(
    'as the manifest of a backup',
    () =>
      fuzz({
        name: 'vault-manifest',
        leastWays: 12,
        corpus: [
          { name: 'whole', bytes: manifestBytes(good) },
          { name: 'in-one-line', bytes: changed({}) },
          {
            name: 'with-facts',
            bytes: changed({ engine: { tablespaces: [{ oid: '1', location: '/x' }], lsn: '0/1' } }),
          },
          { name: 'of-no-objects', bytes: changed({ objects: [] }) },
          { name: 'object-out-of-the-folder', bytes: changed({ objects: [{ ...object, name: '../x' }] }) },
          { name: 'size-of-1e308', bytes: changed({ objects: [{ ...object, sizeBytes: 1e308 }] }) },
          { name: 'proto', bytes: Buffer.from('{"__proto__": {"backupId": "x"}, "constructor": null}') },
          { name: 'deep', bytes: Buffer.from('['.repeat(10_000)) },
          { name: 'nul', bytes: changed({ instanceName: '\0\u001b[2J\ud800' }) },
          { name: 'empty', bytes: Buffer.alloc(0) },
        ],
        read: async (bytes) => parseManifest(bytes, backupId, 'DFW'),
      }),
    fuzzLimitMs,
  );

  it(
    'as the state of a backup',
    async () => {
      const vault = new DirectoryVault('DFW', folder);
      await storeSample(vault, { backupId });
      const path = join(folder, 'backups', backupId.slice(-2), backupId);
      const [name = ''] = (await readdir(path)).filter((each) => each.startsWith('state.'));
      // What is changed beyond its end stays good, mostly.
      const text = `${await readFile(join(path, name), 'utf8')}${' '.repeat(4_000)}`;
      await fuzz({
        name: 'vault-state',
        leastWays: 12,
        corpus: [
          { name: 'whole', bytes: Buffer.from(text) },
          { name: 'gone', bytes: Buffer.from(text.replace(/"sealed": \{[^}]*\}/, '"gone": true')) },
          { name: 'another-place', bytes: Buffer.from(text.replace(/"place": "[^"]*"/, '"place": "../../x"')) },
          { name: 'negative-attempt', bytes: Buffer.from(text.replace(/"attempt": 1/, '"attempt": -1')) },
          { name: 'empty', bytes: Buffer.alloc(0) },
        ],
        read: async (bytes) => {
          await writeFile(join(path, name), bytes);
          await vault.glance(backupId);
        },
      });
    },
    fuzzLimitMs,
  );
});

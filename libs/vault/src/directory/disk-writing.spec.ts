import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { storeSample } from '../../fixtures/sample-backup.js';
import { DirectoryStore } from './directory-store.js';
import { DirectoryVault } from './directory-vault.js';
import { VaultFiles } from './vault-files.js';
import { VaultRoot } from './vault-root.js';

const ext4 = 0xef53;
const xfs = 0x58465342;
const mib = 1_048_576;
const sizes = [1, 4_095, 4_096, 4_097, mib - 1, mib, mib + 1, 3 * mib + 8_192, 3 * mib + 12_345];
const { signal } = new AbortController();

let path: string;
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'strongroom-disk-writing-'));
});
afterAll(() => rm(path, { recursive: true, force: true }));

/** Looks at each file while it is written: whether this process has it open to be written past the page cache. */
class SeenFiles extends VaultFiles {
  readonly pastCache = new Map<string, boolean>();

  protected override async step<T>(operation: string, file: string, perform: () => Promise<T>): Promise<T> {
    if (operation === 'write') this.pastCache.set(file, await isPastCache(file));
    return perform();
  }
}

async function isPastCache(file: string): Promise<boolean> {
  for (const number of await readdir('/proc/self/fd').catch(() => [])) {
    if ((await readlink(`/proc/self/fd/${number}`).catch(() => '')) !== file) continue;
    const flags = /^flags:\s+([0-7]+)$/m.exec(await readFile(`/proc/self/fdinfo/${number}`, 'utf8'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & constants.O_DIRECT) !== 0;
  }
  return false;
}

const samples = () => new Map(sizes.map((size) => [`of-${size}.zst`, randomBytes(size)]));
const mayPassCache = async () => process.platform === 'linux' && [ext4, xfs].includes((await statfs(path)).type);

/** Stores objects of all sizes in a vault, and holds what lies there against them. */
async function stored(files: VaultFiles): Promise<(name: string) => string> {
  const vault = new DirectoryVault('DFW', path, new VaultRoot('DFW', path, files));
  const { backupId, objects } = await storeSample(vault, { objects: samples() });
  const place = join(path, (await vault.locationOf(backupId)) ?? '');
  for (const [name, bytes] of objects) expect((await readFile(join(place, name))).equals(bytes)).toBe(true);
  await expect(vault.verify(backupId)).resolves.toBeDefined();
  return (name) => join(place, name);
}

it('objects of any length are written past the page cache, and the manifest through it', async () => {
  const files = new SeenFiles();
  const placeOf = await stored(files);
  const expected = await mayPassCache();
  for (const size of sizes) expect(files.pastCache.get(placeOf(`of-${size}.zst`))).toBe(expected);
  expect(files.pastCache.get(placeOf('manifest.json'))).toBe(false);
});

it('a disk that says only when it is written that it has no way past the cache is written as usual', async () => {
  class LargePages extends VaultFiles {
    refused = 0;
    protected override async step<T>(operation: string, file: string, perform: () => Promise<T>): Promise<T> {
      if (operation !== 'write' || !(await isPastCache(file))) return perform();
      this.refused += 1;
      throw Object.assign(new Error('EINVAL: invalid argument, write'), { code: 'EINVAL' });
    }
  }
  const files = new LargePages();
  await stored(files);
  expect(files.refused).toBe((await mayPassCache()) ? sizes.length : 0);
});

it('a folder of objects writes large ones past the page cache, and hashes small ones first', async () => {
  const files = new SeenFiles();
  const store = new DirectoryStore(new VaultRoot('DFW', path, files));
  for (const size of [mib - 1, mib, 2 * mib + 1]) {
    const bytes = randomBytes(size);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await store.put(`objects/${size}`, bytes, { sha256, if: 'absent' }, signal);
    expect((await readFile(join(path, 'objects', String(size)))).equals(bytes)).toBe(true);
    expect((await stat(join(path, 'objects', String(size)))).mode & 0o777).toBe(0o600);
    const written = [...files.pastCache.values()];
    expect(written.at(-1)).toBe(size >= mib && (await mayPassCache()));
  }
});

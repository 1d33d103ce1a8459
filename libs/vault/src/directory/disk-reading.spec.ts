import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { storeSample } from '../../fixtures/sample-backup.js';
import { DirectoryVault } from './directory-vault.js';
import { VaultFiles } from './vault-files.js';
import { VaultRoot } from './vault-root.js';

/** Its files are in memory, so nothing of them comes from a disk. */
const tmpfs = 0x01021994;
const mib = 1_048_576;

let path: string;
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'strongroom-disk-'));
});
afterAll(() => rm(path, { recursive: true, force: true }));

/** What the system has read from disks for this process until now; 0 where it does not count that. */
async function bytesFromDisks(): Promise<number> {
  const told = await readFile('/proc/self/io', 'utf8').catch(() => '');
  return Number(/^read_bytes: (\d+)$/m.exec(told)?.[1] ?? 0);
}

const vaultWith = (files?: VaultFiles) => new DirectoryVault('DFW', path, new VaultRoot('DFW', path, files));

it('what is verified comes from the disk, though this host has just written and read it', async () => {
  const size = 5 * mib + 123;
  const { backupId } = await storeSample(vaultWith(), { objects: new Map([['base.tar.zst', randomBytes(size)]]) });
  const place = (await vaultWith().locationOf(backupId)) ?? '';
  await readFile(join(path, place, 'base.tar.zst'));
  const before = await bytesFromDisks();
  let told = 0;
  await vaultWith().verify(backupId, (bytes) => {
    told += bytes;
  });
  expect(told).toBe(size);
  const { type } = await statfs(path);
  expect((await bytesFromDisks()) - before).toBeGreaterThanOrEqual(
    process.platform === 'linux' && type !== tmpfs ? size : 0,
  );
});

it('objects of any length are read to their last byte, and each byte of them counts', async () => {
  const sizes = [0, 1, 4_095, 4_096, 4_097, mib - 1, mib, mib + 1, 2 * mib, 3 * mib + 8_192];
  const objects = new Map(sizes.map((size) => [`of-${size}.zst`, randomBytes(size)]));
  const { backupId } = await storeSample(vaultWith(), { objects });
  await expect(vaultWith().verify(backupId)).resolves.toBeDefined();
  const place = (await vaultWith().locationOf(backupId)) ?? '';
  for (const size of sizes.filter((each) => each > 0)) {
    const file = join(path, place, `of-${size}.zst`);
    const bytes = await readFile(file);
    const altered = Buffer.from(bytes);
    altered[size - 1] = (altered[size - 1] ?? 0) ^ 1;
    await writeFile(file, altered);
    await expect(vaultWith().verify(backupId)).rejects.toMatchObject({ code: 'object-altered' });
    await writeFile(file, bytes);
  }
  await expect(vaultWith().verify(backupId)).resolves.toBeDefined();
});

it('a file system that says only when it reads that it has no way past the cache is read as usual', async () => {
  class Cached extends VaultFiles {
    refused = 0;
    protected override step<T>(operation: string, file: string, perform: () => Promise<T>): Promise<T> {
      if (operation !== 'read' || !file.endsWith('base.tar.zst') || this.refused > 0) return perform();
      this.refused += 1;
      return Promise.reject(Object.assign(new Error('EINVAL: invalid argument, read'), { code: 'EINVAL' }));
    }
  }
  const { backupId } = await storeSample(vaultWith(), { backupId: randomUUID() });
  const files = new Cached();
  await expect(vaultWith(files).verify(backupId)).resolves.toBeDefined();
  expect(files.refused).toBe(1);
});

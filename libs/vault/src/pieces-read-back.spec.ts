import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/services/eventually.js';
import { chunksOf, sampleManifest } from '../fixtures/sample-backup.js';
import { DirectoryStore } from './directory/directory-store.js';
import { VaultRoot } from './directory/vault-root.js';
import { manifestBytes } from './manifest.js';
import type { ObjectStore, PutOptions } from './object/object-store.js';
import { ObjectVault } from './object/object-vault.js';

const pieceBytes = 4_096;
const pieces = 40;
const pieceForm = /base\.tar\.zst\.(\d{6})$/;

/** Tells which pieces were put and read, in order, and can hold up or alter one. */
class TellingStore extends DirectoryStore {
  readonly calls: string[] = [];
  held: Promise<void> | undefined;

  constructor(
    private readonly path: string,
    private readonly altered?: number,
  ) {
    super(new VaultRoot('IAD', path));
  }

  of(what: 'put' | 'got'): number[] {
    return this.calls.flatMap((call) => (call.startsWith(what) ? [Number(call.slice(4))] : []));
  }

  override async put(key: string, bytes: Buffer, options: PutOptions, signal: AbortSignal) {
    const put = await super.put(key, bytes, options, signal);
    const [, number] = pieceForm.exec(key) ?? [];
    if (number === undefined) return put;
    this.calls.push(`put ${Number(number)}`);
    if (Number(number) === this.altered) await this.alter(key);
    return put;
  }

  override async get(...[key, ...rest]: Parameters<ObjectStore['get']>) {
    const [, number] = pieceForm.exec(key) ?? [];
    if (number !== undefined) {
      this.calls.push(`got ${Number(number)}`);
      await this.held;
    }
    return super.get(key, ...rest);
  }

  private async alter(key: string): Promise<void> {
    const file = join(this.path, key);
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(7) ^ 1, 7);
    await writeFile(file, bytes);
  }
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-read-back-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const contentOf = () => chunksOf(randomBytes(pieces * pieceBytes), pieceBytes);
const all = Array.from({ length: pieces }, (_, index) => index);

describe('a backup in pieces', () => {
  const begin = async (store: ObjectStore) => {
    const backupId = randomUUID();
    const vault = new ObjectVault('IAD', store, pieceBytes);
    return { backupId, vault, upload: await vault.begin(backupId, 1) };
  };

  it('is read back while it is sent, each piece once, and sealed when all were read', async () => {
    const store = new TellingStore(folder);
    const { backupId, vault, upload } = await begin(store);
    let readBytes = 0;
    const stored = await upload.put('base.tar.zst', contentOf(), undefined, (bytes) => {
      readBytes += bytes;
    });
    expect(store.of('got').length).toBeGreaterThan(pieces / 4);
    expect(readBytes).toBe(store.of('got').length * pieceBytes);
    const manifest = manifestBytes(sampleManifest(backupId, 'IAD', [{ ...stored, rawBytes: 1, compression: 'zstd' }]));
    await upload.seal(manifest);
    expect(store.of('got').sort((one, other) => one - other)).toEqual(all);
    await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: manifest });
  });

  it('is not sent to its end when a piece is found altered', async () => {
    const store = new TellingStore(folder, 0);
    const { backupId, vault, upload } = await begin(store);
    await expect(upload.put('base.tar.zst', contentOf())).rejects.toMatchObject({ code: 'object-altered' });
    expect(store.of('put').length).toBeLessThan(pieces);
    await upload.discard();
    expect(await vault.manifest(backupId)).toBeUndefined();
  });

  it('is sent to its end though a piece takes long to be read back', async () => {
    const store = new TellingStore(folder);
    let release = () => {};
    store.held = new Promise((resolve) => {
      release = resolve;
    });
    const { upload } = await begin(store);
    const putting = upload.put('base.tar.zst', contentOf());
    await eventually(() => expect(store.of('put')).toHaveLength(pieces), { withinMs: 10_000 });
    expect(store.of('got')).toHaveLength(1);
    release();
    await putting;
    await upload.discard();
  });

  it('is not sealed under a digest that is not the one of what was read back', async () => {
    const { backupId, upload } = await begin(new TellingStore(folder));
    const stored = await upload.put('base.tar.zst', contentOf());
    const other = createHash('sha256').update('other').digest('hex');
    const segments = 'segments' in stored ? stored.segments : [];
    const [first, ...rest] = segments;
    const object = { ...stored, segments: [{ sizeBytes: first?.sizeBytes ?? 0, sha256: other }, ...rest] };
    const manifest = manifestBytes(sampleManifest(backupId, 'IAD', [{ ...object, rawBytes: 1, compression: 'zstd' }]));
    await expect(upload.seal(manifest)).rejects.toMatchObject({ code: 'object-altered' });
    await upload.discard();
  });
});

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { gatedObjectVault } from '../../../test/vaults/gated-store.js';
import { PassingVault } from '../../../test/vaults/passing-vault.js';
import { randomOf } from '../../../test/vaults/turns.js';
import { unsealedPlaces } from '../../../test/vaults/unsealed-places.js';
import { chunksOf, heldOf, type SampleBackup, storeSample } from '../fixtures/sample-backup.js';
import { type CopyOptions, copyBackup } from './copy-backup.js';
import { DirectoryStore } from './directory/directory-store.js';
import { DirectoryVault } from './directory/directory-vault.js';
import { VaultRoot } from './directory/vault-root.js';
import type { ObjectFacts, PutOptions } from './object/object-store.js';
import { ObjectVault } from './object/object-vault.js';
import type { ByteRange, Vault } from './vault.js';

const never = new AbortController().signal;
const pieceBytes = 4_096;
const usualBytes = 250_000;
/** Some three hundred pieces, so that two that were under way are less than a hundredth. */
const manyPieces = 1_250_000;
/** What the streams between two vaults hold at the most. */
const heldBytes = 262_144;

let folder: string;
let root: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-objects-'));
  root = await newFolder('IAD');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function newFolder(name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  return path;
}

/** The target as a new process sees it. */
const target = () => gatedObjectVault('IAD', root, undefined, pieceBytes);
const sources: [string, (path: string) => Vault][] = [
  ['a store of objects', (path) => gatedObjectVault('DFW', path, undefined, pieceBytes).vault],
  ['a directory', (path) => new DirectoryVault('DFW', path)],
];

class CountedVault extends PassingVault {
  readBytes = 0;

  override read(backupId: string, objectName: string, range?: ByteRange): Readable {
    const chunks = this.counted(super.read(backupId, objectName, range));
    return Readable.from(chunks, { objectMode: false, highWaterMark: 1 });
  }

  private async *counted(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      this.readBytes += chunk.length;
      yield chunk;
    }
  }
}

describe('a copy into a store of objects', () => {
  let from: CountedVault;
  let sample: SampleBackup;
  let expectedSha256: string;
  let sizeBytes: number;
  const begin = async (open: (path: string) => Vault, bytes: number) => {
    sizeBytes = bytes;
    from = new CountedVault(open(await newFolder('DFW')));
    sample = await storeSample(from, { objects: new Map([['base.tar.zst', randomBytes(sizeBytes)]]) });
    expectedSha256 = createHash('sha256').update(sample.manifestBytes).digest('hex');
  };
  const copy = (to: Vault, attempt: number, progress?: CopyOptions['progress']) =>
    copyBackup({
      from,
      to,
      backupId: sample.backupId,
      attempt,
      expectedSha256,
      signal: never,
      ...(progress && { progress }),
    });

  describe.each(sources)('from %s', (kind, open) => {
    it('that was killed ten times at random sends at most 1.1 times its size', async () => {
      await begin(open, manyPieces);
      const random = randomOf(15);
      let sentBytes = 0;
      for (let attempt = 1; attempt <= 10; attempt += 1) {
        const { vault, store } = target();
        store.dieAfter(2_000 + random() * 0.15 * sizeBytes, random() < 0.5);
        await expect(copy(vault, attempt)).rejects.toMatchObject({ code: 'vault-unavailable' });
        sentBytes += store.sentBytes;
      }
      const { vault, store } = target();
      await expect(copy(vault, 11)).resolves.toMatchObject({ transferred: true, sha256: expectedSha256 });
      sentBytes += store.sentBytes;
      expect(sentBytes / sizeBytes).toBeLessThan(1.1);
      // A digest of the whole can't be taken without reading the whole.
      if (kind === 'a store of objects') expect(from.readBytes - sizeBytes).toBeLessThan(11 * heldBytes);
      await expect(vault.verify(sample.backupId)).resolves.toMatchObject({ bytes: sample.manifestBytes });
      expect(await unsealedPlaces(root, vault)).toEqual([]);
    });

    it('that was killed at nine tenths goes on there, and its progress is that of the whole', async () => {
      await begin(open, usualBytes);
      const first = target();
      first.store.dieAfter(0.9 * sizeBytes, false);
      await expect(copy(first.vault, 1)).rejects.toMatchObject({ code: 'vault-unavailable' });
      const { vault, store } = target();
      let doneBytes = 0;
      let broughtBytes = 0;
      await copy(vault, 2, (bytes, isBrought) => {
        doneBytes += bytes;
        if (isBrought) broughtBytes += bytes;
      });
      expect((store.sentBytes - sample.manifestBytes.length) / sizeBytes).toBeLessThan(0.15);
      expect(doneBytes).toBe(sizeBytes);
      // What an earlier attempt has brought is no speed of this one, unless all is read to take a digest of the whole.
      expect(broughtBytes / sizeBytes).toBeLessThan(kind === 'a store of objects' ? 0.15 : 1.01);
      expect(broughtBytes).toBeGreaterThan(0);
      await expect(vault.verify(sample.backupId)).resolves.toMatchObject({ sha256: expectedSha256 });
    });

    it('begins anew where what an earlier attempt has brought is not what it should be', async () => {
      await begin(open, usualBytes);
      const first = target();
      first.store.dieAfter(0.5 * sizeBytes, false);
      await expect(copy(first.vault, 1)).rejects.toMatchObject({ code: 'vault-unavailable' });
      const [place = ''] = await unsealedPlaces(root, target().vault);
      const disk = new DirectoryStore(new VaultRoot('IAD', root));
      const spoilt = `${place}/base.tar.zst.000007`;
      await disk.delete([spoilt], never);
      await put(disk, spoilt, randomBytes(pieceBytes));
      await expect(copy(target().vault, 2)).rejects.toMatchObject({ code: 'object-altered', region: 'IAD' });
      expect(await unsealedPlaces(root, target().vault)).toEqual([]);
      const { vault } = target();
      await expect(copy(vault, 3)).resolves.toMatchObject({ sha256: expectedSha256 });
      await expect(vault.verify(sample.backupId)).resolves.toBeDefined();
    });

    it('of which two attempts run at once is whole, and only the newer one says that it has made it', async () => {
      await begin(open, usualBytes);
      const outcomes = await Promise.allSettled([copy(target().vault, 1), copy(target().vault, 2)]);
      const [older, newer] = outcomes;
      if (older.status === 'fulfilled') expect(older.value.sha256).toBe(expectedSha256);
      else expect(older.reason).toMatchObject({ code: 'upload-superseded' });
      expect(newer).toMatchObject({ status: 'fulfilled', value: { sha256: expectedSha256 } });
      const { vault } = target();
      await expect(vault.verify(sample.backupId)).resolves.toMatchObject({ sha256: expectedSha256 });
      expect(await unsealedPlaces(root, vault)).toEqual([]);
    });
  });

  it('puts nothing there that is not a segment of the backup', async () => {
    await begin((path) => gatedObjectVault('DFW', path, undefined, pieceBytes).vault, usualBytes);
    const disk = new DirectoryStore(new VaultRoot('DFW', join(folder, 'DFW')));
    const spoilt = `${await from.locationOf(sample.backupId)}/base.tar.zst.000050`;
    await disk.delete([spoilt], never);
    await put(disk, spoilt, randomBytes(pieceBytes));
    const { vault } = target();
    await expect(copy(vault, 1)).rejects.toMatchObject({ code: 'object-altered', region: 'DFW' });
    const [place = ''] = await unsealedPlaces(root, vault);
    const names = await readdir(join(root, place));
    expect(names).toContain('base.tar.zst.000049');
    expect(names).not.toContain('base.tar.zst.000050');
  });
});

describe('a vault in a store of objects', () => {
  it('lies as documented, and cat gives an object back', async () => {
    const { vault } = target();
    await vault.identify();
    const { backupId, objects, manifestBytes } = await storeSample(vault);
    const ofBackup = join(root, 'backups', backupId.slice(-2), backupId);
    expect((await readdir(root)).sort()).toEqual(['.partial', '.trial', 'backups', 'vault.json']);
    const state = await readFile(join(ofBackup, 'state~', '2'), 'utf8');
    expect(JSON.parse(state)).toEqual({
      format: 'strongroom-state/2',
      change: expect.any(String),
      seq: 2,
      attempt: 1,
      sealed: {
        attempt: 1,
        place: '1.1',
        pieceBytes,
        manifestSha256: createHash('sha256').update(manifestBytes).digest('hex'),
      },
    });
    const pieces = (await readdir(join(ofBackup, '1.1'))).filter((name) => name.startsWith('base.tar.zst.')).sort();
    const bytes = await Promise.all(pieces.map((name) => readFile(join(ofBackup, '1.1', name))));
    expect(Buffer.concat(bytes).equals(objects.get('base.tar.zst') ?? Buffer.alloc(0))).toBe(true);
    expect(JSON.parse(manifestBytes.toString())).toMatchObject({ format: 'strongroom-backup/2' });
  });

  it('cuts an object only where a chunk of its source ends, so that each segment is whole frames', async () => {
    const { vault } = target();
    const upload = await vault.begin(randomUUID(), 1);
    const stored = await upload.put('a.zst', chunksOf(randomBytes(10_000), 1_500));
    expect(stored).toMatchObject({
      segments: [{ sizeBytes: 3_000 }, { sizeBytes: 3_000 }, { sizeBytes: 4_000 }],
    });
    await upload.discard();
  });

  it('finds and removes what a request has put long after the backup was forgotten', async () => {
    const { vault } = target();
    const { backupId } = await storeSample(vault);
    await vault.purge(backupId, 1);
    await expect(vault.forget(backupId, 1, soon())).resolves.toBe(true);
    const disk = new DirectoryStore(new VaultRoot('IAD', root));
    await put(disk, `backups/${backupId.slice(-2)}/${backupId}/3.7/base.tar.zst.000100`, randomBytes(10));
    const [held] = await heldOf(vault, backupId);
    expect(held).toMatchObject({ isGone: false, hasLeftovers: true });
    expect(held).not.toHaveProperty('location');
    await expect(vault.purge(backupId, 3)).resolves.toEqual({ places: 1, bytes: 10 });
    await expect(vault.forget(backupId, 3, soon())).resolves.toBe(true);
    expect(await heldOf(vault, backupId)).toEqual([]);
  });

  it('whose state is damaged says so, and is whole again when the next attempt has begun', async () => {
    const { vault } = target();
    const { backupId, manifestBytes } = await storeSample(vault);
    const disk = new DirectoryStore(new VaultRoot('IAD', root));
    const key = `backups/${backupId.slice(-2)}/${backupId}/state`;
    await disk.delete([key], never);
    await put(disk, key, Buffer.from('{'));
    await expect(vault.manifest(backupId)).rejects.toMatchObject({ code: 'manifest-invalid' });
    expect(await heldOf(vault, backupId)).toMatchObject([{ fault: { code: 'manifest-invalid' } }]);
    await (await vault.begin(backupId, 2)).discard();
    await expect(vault.verify(backupId)).resolves.toMatchObject({ bytes: manifestBytes });
  });

  const lacking: [string, Lacks][] = [
    ['makes an object twice', (condition) => (condition === 'absent' ? 'always' : condition)],
    ['replaces an object that has changed', (condition) => (condition === 'absent' ? condition : 'always')],
  ];

  it.each(lacking)('is refused on a store that %s', async (_, lacks) => {
    const vault = new ObjectVault('IAD', new LackingStore(new VaultRoot('IAD', root), lacks));
    await expect(vault.identify()).rejects.toMatchObject({ code: 'vault-misconfigured' });
    expect(await readdir(root)).not.toContain('vault.json');
  });

  it('is kept by its store until the time that was asked for, and is not removed before', async () => {
    const store = new KeepingStore(new VaultRoot('IAD', root));
    const vault = new ObjectVault('IAD', store, pieceBytes);
    const { backupId } = await storeSample(vault);
    const until = new Date(Date.now() + 86_400_000);
    await expect(vault.keepUntil(backupId, until)).resolves.toBe(true);
    const location = await vault.locationOf(backupId);
    const kept = (await readdir(join(root, location ?? ''))).map((name) => `${location}/${name}`);
    expect([...store.kept.keys()].sort()).toEqual(kept.sort());
    const refused = vault.purge(backupId, 1);
    await expect(refused).rejects.toMatchObject({ code: 'object-locked', retryable: true });
    await expect(refused).rejects.toThrow(until.toISOString());
    await expect(vault.keptUntil(backupId)).resolves.toEqual(until);
    await expect(vault.verify(backupId)).resolves.toBeDefined();
    // The clock of this process says that the lock is over. Only the store's says whether it is.
    for (const key of store.kept.keys()) store.kept.set(key, new Date(0));
    await expect(vault.purge(backupId, 1)).rejects.toMatchObject({ code: 'object-locked' });
    store.kept.clear();
    await expect(vault.keptUntil(backupId)).resolves.toBeUndefined();
    await expect(vault.purge(backupId, 1)).resolves.toMatchObject({ places: 1 });
  });
});

type Lacks = (condition: PutOptions['if']) => PutOptions['if'] | 'always';

/** A store that does not keep a condition of a put. */
class LackingStore extends DirectoryStore {
  constructor(
    root: VaultRoot,
    private readonly lacks: Lacks,
  ) {
    super(root);
  }

  override async put(
    key: string,
    bytes: Buffer,
    options: PutOptions,
    signal: AbortSignal,
  ): Promise<ObjectFacts | undefined> {
    const condition = this.lacks(options.if);
    if (condition !== 'always') return super.put(key, bytes, { ...options, if: condition }, signal);
    const there = await this.head(key, signal);
    return super.put(key, bytes, { ...options, if: there ? { tag: there.tag } : 'absent' }, signal);
  }
}

/** A store that keeps objects until a time, as one with Object Lock does. */
class KeepingStore extends DirectoryStore {
  readonly kept = new Map<string, Date>();

  override async keepUntil(key: string, until: Date): Promise<boolean> {
    this.kept.set(key, until);
    return true;
  }

  override async head(key: string, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    const facts = await super.head(key, signal);
    const lockedUntil = this.kept.get(key);
    return facts && { ...facts, ...(lockedUntil && { lockedUntil }) };
  }
}

async function put(store: DirectoryStore, key: string, bytes: Buffer): Promise<void> {
  await store.put(key, bytes, { sha256: createHash('sha256').update(bytes).digest('hex'), if: 'absent' }, never);
}

function soon(): Date {
  return new Date(Date.now() + 60_000);
}

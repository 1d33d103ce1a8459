import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { chunksOf } from '../fixtures/sample-backup.js';
import { DirectoryStore } from './directory/directory-store.js';
import { VaultRoot } from './directory/vault-root.js';
import type { PutOptions } from './object/object-store.js';
import { ObjectVault } from './object/object-vault.js';

const mib = 1_048_576;

/** Answers late, and looks what has become of the bytes meanwhile. */
class LateStore extends DirectoryStore {
  readonly memories = new Set<ArrayBufferLike>();
  changed = 0;

  override async put(key: string, bytes: Buffer, options: PutOptions, signal: AbortSignal) {
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    const put = await super.put(key, bytes, options, signal);
    if (bytes.length < mib) return put;
    this.memories.add(bytes.buffer);
    if (createHash('sha256').update(bytes).digest('hex') !== options.sha256) this.changed += 1;
    return put;
  }
}

it('a piece keeps its bytes until it is put, while the next ones are collected in memory that is used again', async () => {
  const path = await mkdtemp(join(tmpdir(), 'strongroom-pieces-'));
  try {
    const store = new LateStore(new VaultRoot('DFW', path));
    const upload = await new ObjectVault('DFW', store, mib).begin(randomUUID(), 1);
    const stored = await upload.put('base.tar.zst', chunksOf(randomBytes(12 * mib)));
    expect('segments' in stored && stored.segments.length).toBe(12);
    expect(store.changed).toBe(0);
    expect(store.memories.size).toBeLessThan(6);
    await upload.discard();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});

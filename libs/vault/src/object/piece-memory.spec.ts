import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { chunksOf } from '../../fixtures/sample-backup.js';
import { DirectoryStore } from '../directory/directory-store.js';
import { VaultRoot } from '../directory/vault-root.js';
import type { PutOptions } from './object-store.js';
import { ObjectVault } from './object-vault.js';
import { PieceMemories } from './piece-memory.js';

const mib = 1_048_576;

describe('memory for pieces', () => {
  it('is lent again when it was given back, and not before, also for a piece of another size', () => {
    const memories = new PieceMemories();
    const first = memories.take(2 * mib);
    const second = memories.take(2 * mib);
    expect(second.memory.buffer).not.toBe(first.memory.buffer);
    first.giveBack();
    const third = memories.take(2 * mib - 7);
    expect(third.memory.buffer).toBe(first.memory.buffer);
    expect(third.memory.length).toBe(2 * mib - 7);
  });

  it('is lent to one piece at a time, though it was given back twice', () => {
    const memories = new PieceMemories();
    const { giveBack } = memories.take(mib);
    giveBack();
    giveBack();
    expect(memories.take(mib).memory.buffer).not.toBe(memories.take(mib).memory.buffer);
  });

  it('of small pieces is not kept', () => {
    const memories = new PieceMemories();
    const small = memories.take(10);
    small.giveBack();
    expect(small.memory.length).toBe(10);
    expect(memories.take(10).memory.buffer).not.toBe(small.memory.buffer);
  });
});

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

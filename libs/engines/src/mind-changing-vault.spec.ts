/** A vault whose holder shows something else than was stored there, between two looks of ours. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '@strongroom/runtime';
import { openVaults, type Vault } from '@strongroom/vault';
import { BytesEngine } from '../fixtures/bytes-engine.js';
import { IncrementalNotPossible } from './engine-fault.js';
import { type StoreOptions, storeBackup } from './store-backup.js';

describe('a vault that changes its mind', () => {
  let folder: string;
  let vault: Vault;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-mind-'));
    await mkdir(join(folder, 'DFW'));
    vault = openVaults(new Map([['DFW', pathToFileURL(join(folder, 'DFW'))]])).of('DFW');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const instanceId = randomUUID();
  const endpoint = { host: 'localhost', port: 1, user: 'u', database: 'd', tls: 'disable' } as const;
  function store(ids: Partial<StoreOptions['backup']>, more: Partial<StoreOptions> = {}) {
    const own = { backupId: randomUUID(), accountId: 'acme', instanceId, instanceName: 'orders' };
    return storeBackup({
      engine: new BytesEngine(),
      vault,
      clock: new SystemClock(),
      target: { instanceId, endpoint, password: '' },
      backup: { ...own, type: 'full', parentId: null, startedAt: new Date(), ...ids },
      attempt: 1,
      signal: new AbortController().signal,
      ...more,
    });
  }

  it('has nothing built on another backup than the one that the ledger knows', async () => {
    const parentId = randomUUID();
    const { sha256 } = await store({ backupId: parentId });
    const built = store({ type: 'incremental', parentId }, { parentSha256: '0'.repeat(64) });
    await expect(built).rejects.toBeInstanceOf(IncrementalNotPossible);
    await expect(built).rejects.toMatchObject({
      ground: 'parent-unreadable',
      cause: { code: 'object-altered', region: 'DFW' },
    });
    await expect(store({ type: 'incremental', parentId }, { parentSha256: sha256 })).resolves.toMatchObject({
      parentId,
    });
  });

  it('has what it shows of another account or instance not taken for what an earlier attempt left', async () => {
    const backupId = randomUUID();
    const left = await store({ backupId });
    for (const [attempt, other] of [{ accountId: 'globex' }, { instanceId: randomUUID() }].entries()) {
      const made = await store({ backupId, ...other }, { attempt: attempt + 2 });
      expect(made.location).not.toBe(left.location);
      expect((await vault.verify(backupId)).manifest).toMatchObject(other);
    }
  });
});

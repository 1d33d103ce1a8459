/** A vault whose holder shows something else than was stored there, between two looks of ours. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '@strongroom/runtime/light';
import { openVaults, type SealedManifest, type Vault } from '@strongroom/vault';
import { PassingVault } from '../../../test/vaults/passing-vault.js';
import { BytesEngine } from '../fixtures/bytes-engine.js';
import { SealsInMemory } from '../fixtures/seals-in-memory.js';
import { IncrementalNotPossible } from './engine-fault.js';
import { type StoreOptions, storeBackup } from './store-backup.js';

/** Shows a manifest by another digest when it is asked for the first time. */
class ShowsOnce extends PassingVault {
  constructor(
    vault: Vault,
    private readonly sha256: string,
  ) {
    super(vault);
  }

  override async manifest(backupId: string): Promise<SealedManifest | undefined> {
    const sealed = await super.manifest(backupId);
    return sealed && { ...sealed, sha256: this.sha256 };
  }
}

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
    const seals = new SealsInMemory();
    const left = await store({ backupId }, { seals });
    for (const [attempt, other] of [{ accountId: 'globex' }, { instanceId: randomUUID() }].entries()) {
      const made = await store({ backupId, ...other }, { attempt: attempt + 2, seals });
      expect(made.location).not.toBe(left.location);
      expect((await vault.verify(backupId)).manifest).toMatchObject(other);
    }
  });

  it('has nothing taken that no attempt was about to seal, and has taken what one of several was', async () => {
    const backupId = randomUUID();
    const seals = new SealsInMemory();
    await store({ backupId }, { seals });
    const forged = await store({ backupId }, { attempt: 2 });
    const own = await store({ backupId }, { attempt: 3, seals });
    expect(own.sha256).not.toBe(forged.sha256);
    const broken = { signal: AbortSignal.abort(new Error('the process is stopping')) };
    await expect(store({ backupId }, { attempt: 4, seals, ...broken })).rejects.toThrow();
    expect(await store({ backupId }, { attempt: 5, seals })).toMatchObject({
      sha256: own.sha256,
      location: own.location,
    });
    expect((await store({ backupId }, { attempt: 6 })).sha256).not.toBe(own.sha256);
  });

  it('has nothing taken that it shows once, and another thing afterwards', async () => {
    const backupId = randomUUID();
    const seals = new SealsInMemory();
    const own = await store({ backupId }, { seals });
    const forged = await store({ backupId }, { attempt: 2 });
    const changing = new ShowsOnce(vault, own.sha256);
    const made = await store({ backupId }, { vault: changing, attempt: 3, seals });
    expect([own.sha256, forged.sha256]).not.toContain(made.sha256);
  });
});

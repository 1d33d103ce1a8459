/** What an attempt finds sealed in the home vault: it is taken when an attempt was about to seal it, and never because it looks right. */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { type EventData, streamOf } from '@strongroom/contracts';
import { type BackupTaker, type StoredBackup, storeBackup } from '@strongroom/engines';
import type { SealedManifest, Vault, VaultUpload } from '@strongroom/vault';
import { PassingVault } from '../../../../../test/vaults/passing-vault.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt } from './backup-attempt.js';

let world: RunnerWorld;
let instanceId: string;
let backupId: string;

beforeAll(async () => {
  world = await RunnerWorld.create();
}, 120_000);
afterAll(() => world.remove());
beforeEach(async () => {
  instanceId = await world.register({ host: '127.0.0.1', port: 5432, user: 'backup', password: 'secret' });
  backupId = await world.request(instanceId);
});

/** A server of a few bytes, which counts how often it was asked for a backup. */
class CountedEngine implements BackupTaker {
  readonly readByIncrementals = [];
  asked = 0;

  async backup(): ReturnType<BackupTaker['backup']> {
    this.asked += 1;
    const objects = (async function* () {
      for (const name of ['base.tar', 'backup_manifest']) yield { name, source: Readable.from([randomBytes(1_000)]) };
    })();
    const facts = { systemId: '7000000000000000001', timeline: 1 };
    const result = Promise.resolve({ datastore: { type: 'postgresql' as const, version: '18.4' }, facts });
    return { objects, estimatedBytes: null, result };
  }
}

/** The process dies just before the seal, or just after it. */
class DyingVault extends PassingVault {
  constructor(
    vault: Vault,
    private readonly when: 'before' | 'after',
    private readonly process: AbortController,
  ) {
    super(vault);
  }

  override async begin(backupId: string, attempt: number): Promise<VaultUpload> {
    const upload = await super.begin(backupId, attempt);
    const seal = async (...sealing: Parameters<VaultUpload['seal']>): Promise<SealedManifest> => {
      if (this.when === 'after') await upload.seal(...sealing);
      const died = new Error('the process died');
      this.process.abort(died);
      throw died;
    };
    return {
      put: (...put) => upload.put(...put),
      putKeys: (...keys) => upload.putKeys(...keys),
      bring: (copied) => upload.bring(copied),
      seal,
      discard: async () => {},
    };
  }
}

async function attempt(number: number, dies?: 'before' | 'after', engine = new CountedEngine()): Promise<void> {
  const process = new AbortController();
  const vault = dies ? new DyingVault(world.vault, dies, process) : world.vault;
  const performed = new BackupAttempt(
    { ...world, vault, vaults: { regions: ['DFW'] }, takerFor: () => engine },
    world.job('backup', backupId, { attempt: number }),
    { signal: process.signal, progress: () => {} },
  ).perform();
  if (dies) await expect(performed).rejects.toThrow('the process died');
  else expect(await performed).toBe('finished');
}

/** Whoever may write to the vault leaves a backup there that looks like one of the same instance. */
function forge(
  number: number,
  fields: Partial<Parameters<typeof storeBackup>[0]['backup']> = {},
): Promise<StoredBackup> {
  return storeBackup({
    engine: new CountedEngine(),
    vault: world.vault,
    clock: world.clock,
    attempt: number,
    signal: new AbortController().signal,
    target: {
      instanceId,
      endpoint: { host: '127.0.0.1', port: 5432, user: 'backup', database: 'postgres', tls: 'disable' },
      password: '',
    },
    backup: {
      backupId,
      accountId: 'acme',
      instanceId,
      instanceName: 'orders',
      type: 'full',
      parentId: null,
      startedAt: world.clock.now(),
      ...fields,
    },
  });
}

async function completed(): Promise<EventData<'BackupCompleted'>> {
  const history = await world.ledger.readStream(streamOf('backup', backupId));
  const last = history.find(({ type }) => type === 'BackupCompleted');
  if (last?.type !== 'BackupCompleted') throw new Error('the backup has not completed');
  return last.data;
}

const sealed = () => world.vault.verify(backupId);
const kept = (): Promise<unknown[]> =>
  world.dataSource.query('select attempt from expected_seal where backup_id = $1 order by attempt', [backupId]);

it('a backup that was forged in the vault between two attempts is not taken, and the log says so', async () => {
  await attempt(1, 'before');
  const forged = await forge(1);
  await attempt(2);
  const { sha256 } = await completed();
  expect(sha256).not.toBe(forged.sha256);
  expect(await sealed()).toMatchObject({ sha256 });
  const line = world.told.find((each) => each.includes(backupId) && each.includes(forged.sha256));
  expect(line).toContain('no attempt was about to seal');
});

it('a backup that was forged in place of the one that a dead attempt sealed is not taken either', async () => {
  await attempt(1, 'after');
  const real = await sealed();
  await rm(join(world.folder, 'backups', backupId.slice(-2), backupId), { recursive: true });
  const forged = await forge(1);
  await attempt(2);
  expect([real.sha256, forged.sha256]).not.toContain((await completed()).sha256);
});

it('a backup that a dead attempt sealed is taken, however many attempts died before it, and nothing stays of it', async () => {
  await attempt(1, 'before');
  await attempt(2, 'before');
  await attempt(3, 'after');
  const { sha256, location } = await sealed();
  expect(await kept()).toEqual([{ attempt: 1 }, { attempt: 2 }, { attempt: 3 }]);
  const engine = new CountedEngine();
  await attempt(4, undefined, engine);
  expect(await completed()).toMatchObject({ sha256, location, attempt: 4 });
  expect(engine.asked).toBe(0);
  expect(await kept()).toEqual([]);
});

it('a backup that a process of an older version sealed is made anew', async () => {
  const left = await forge(1);
  const engine = new CountedEngine();
  await attempt(2, undefined, engine);
  expect(engine.asked).toBe(1);
  expect((await completed()).sha256).not.toBe(left.sha256);
});

it('nothing stays kept of a backup whose attempt died after its end, nor of an attempt that froze for long', async () => {
  await attempt(1);
  await world.expectedSeals.expect({ backupId, attempt: 1 }, 'a'.repeat(64));
  await attempt(2);
  expect(await kept()).toEqual([]);
  await world.expectedSeals.expect({ backupId, attempt: 1 }, 'b'.repeat(64));
  await world.dataSource.query(`update expected_seal set kept_at = now() - interval '31 days' where backup_id = $1`, [
    backupId,
  ]);
  const other = world.ids.next();
  await world.expectedSeals.expect({ backupId: other, attempt: 1 }, 'c'.repeat(64));
  expect(await kept()).toEqual([]);
  expect(await world.expectedSeals.isExpected(other, 'c'.repeat(64))).toBe(true);
  expect(await world.expectedSeals.isExpected(backupId, 'c'.repeat(64))).toBe(false);
});

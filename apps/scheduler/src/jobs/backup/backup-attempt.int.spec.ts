import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import { storeBackup } from '@strongroom/engines';
import type { LeasedJob } from '@strongroom/runtime';
import { type Vault, VaultFault } from '@strongroom/vault';
import { CustomerDatabase, chainMarker } from '../../../../../test/customer-database.js';
import { eventually } from '../../../../../test/services/eventually.js';
import { LockingVault } from '../../../../../test/vaults/locking-vault.js';
import { EventfulVault } from '../../../fixtures/eventful-vault.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt, type BackupAttemptParts } from './backup-attempt.js';

let customer: CustomerDatabase;
let world: RunnerWorld;
let instanceId: string;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1, settings: { summarize_wal: 'on' } });
  world = await RunnerWorld.create();
}, 120_000);
afterAll(async () => {
  await world.remove();
  await customer.stop();
});
beforeEach(async () => {
  // The tests before have left replication slots, and a server has few.
  await customer.query('select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active');
  instanceId = await world.register(customer.server);
});

const attempt = (
  backupId: string,
  job: Partial<LeasedJob> = {},
  vault: Vault = world.vault,
  config: BackupAttemptParts['config'] = world.config,
) =>
  new BackupAttempt(
    { ...world, vault, config, vaults: { regions: ['DFW', 'IAD'] } },
    world.job('backup', backupId, job),
    world.hold(),
  ).perform();
const full = async () => {
  const backupId = await world.request(instanceId);
  await attempt(backupId);
  return backupId;
};
const ofSlot = (parentId: string) =>
  world.request(instanceId, {
    type: 'incremental',
    parentId,
    trigger: 'slot',
    scheduleId: world.ids.next(),
    slotAt: '2026-11-24T02:00:00.000Z',
  });
const completedOf = async (backupId: string) =>
  (await world.ledger.readStream(streamOf('backup', backupId))).find(({ type }) => type === 'BackupCompleted')?.data;

describe('a backup', () => {
  it("is not failed by an outage of Strongroom's own database: it waits, and completes", async () => {
    const parentId = await full();
    const backupId = await ofSlot(parentId);
    let isCut = false;
    const vault = new EventfulVault(world.vault, async () => {
      if (isCut) return;
      isCut = true;
      await world.database.cut();
    });
    const performed = attempt(backupId, {}, vault);
    try {
      await eventually(() => expect(world.told.join('')).toContain(`for backup ${backupId} failed for now`), {
        withinMs: 30_000,
      });
    } finally {
      await world.database.restore();
    }
    expect(await performed).toBe('finished');
    expect(await world.eventTypesOf(backupId)).toEqual([
      'BackupRequested',
      'BackupStarted',
      'BackupIdentified',
      'BackupCompleted',
    ]);
    expect(await completedOf(backupId)).toMatchObject({ type: 'incremental', parentId });
  });

  it('of a schedule whose parent is damaged is full, and the log says why', async () => {
    const parentId = await full();
    await writeFile(join(world.folder, (await world.vault.locationOf(parentId)) ?? '', 'manifest.json'), '{');
    const backupId = await ofSlot(parentId);
    expect(await attempt(backupId)).toBe('finished');
    expect(await completedOf(backupId)).toMatchObject({ type: 'full', parentId: null });
    expect(world.told.find((line) => line.includes(backupId) && line.includes('an incremental was planned'))).toContain(
      parentId,
    );
  });

  it('of a schedule whose parent is not there any more is full, and the log says why', async () => {
    const parentId = await full();
    await rm(join(world.folder, 'backups', parentId.slice(-2), parentId), { recursive: true });
    const backupId = await ofSlot(parentId);
    expect(await attempt(backupId)).toBe('finished');
    expect(await completedOf(backupId)).toMatchObject({ type: 'full', parentId: null });
    expect(world.told.find((line) => line.includes(backupId) && line.includes('an incremental was planned'))).toContain(
      `Backup ${parentId}, which it was to be built on, is not in the vault of DFW`,
    );
  });

  it('of a schedule is full when anything is missing that the parent rests on, and that is asked back from where it is', async () => {
    const fullId = await full();
    const parentId = await ofSlot(fullId);
    await attempt(parentId);
    expect(await completedOf(parentId)).toMatchObject({ type: 'incremental' });
    await world.completeCopy(fullId, 'IAD');
    await rm(join(world.folder, (await world.vault.locationOf(fullId)) ?? '', 'base.tar.zst'));
    const backupId = await ofSlot(parentId);
    expect(await attempt(backupId)).toBe('finished');
    expect(await completedOf(backupId)).toMatchObject({ type: 'full', parentId: null });
    expect(await world.eventTypesOf(backupId)).toContain('BackupMadeFull');
    const refill = await world.ledger.readStream(streamOf('copy', copyId(fullId, 'DFW')));
    expect(refill).toMatchObject([{ type: 'CopyRequested', data: { region: 'DFW', sourceRegion: 'IAD' } }]);
  });

  it('that is to be full adopts nothing that a lost attempt has built on a parent that is damaged since', async () => {
    const parentId = await full();
    const backupId = await ofSlot(parentId);
    const { password, host, port, user } = customer.server;
    const data = { backupId, attempt: 1, region: 'DFW', runner: 'lost' };
    await world.record(streamOf('backup', backupId), instanceId, { type: 'BackupStarted', data });
    const lost = await storeBackup({
      engine: world.engine,
      vault: world.vault,
      clock: world.clock,
      attempt: 1,
      seals: world.expectedSeals.of(
        { backupId, attempt: 1 },
        (_, action) => action(),
        () => {},
      ),
      signal: world.hold().signal,
      target: { instanceId, endpoint: { host, port, user, database: 'postgres', tls: 'disable' }, password },
      backup: {
        backupId,
        accountId: 'acme',
        instanceId,
        instanceName: 'orders',
        startedAt: world.clock.now(),
        type: 'incremental',
        parentId,
      },
    });
    expect(lost).toMatchObject({ type: 'incremental', parentId });
    await rm(join(world.folder, (await world.vault.locationOf(parentId)) ?? '', 'base.tar.zst'));
    expect(await attempt(backupId, { attempt: 2 })).toBe('finished');
    expect(await world.eventTypesOf(backupId)).toContain('BackupMadeFull');
    expect(await completedOf(backupId)).toMatchObject({ type: 'full', parentId: null, attempt: 2 });
    expect(await world.vault.verify(backupId)).toMatchObject({ manifest: { type: 'full', parentId: null } });
  });

  it('needs a replication slot of its server while it runs, and one more to be built on', async () => {
    const slots = async () => Number((await customer.query('select 1 from pg_replication_slots')).length);
    const mine: string[] = [];
    const fill = async (upTo: number) => {
      while ((await slots()) < upTo) {
        const slot = `filler_${mine.length}`;
        await customer.query(`select pg_create_physical_replication_slot('${slot}')`);
        mine.push(slot);
      }
    };
    try {
      // The default limit of PostgreSQL is ten.
      await fill(9);
      const alone = await full();
      expect(await completedOf(alone)).toMatchObject({ type: 'full' });
      expect(await customer.chainMarkers()).not.toContain(chainMarker(alone));
      await fill(10);
      const refused = await full();
      const failed = (await world.ledger.readStream(streamOf('backup', refused))).at(-1);
      expect(failed).toMatchObject({ type: 'BackupFailed', data: { code: 'server-exhausted' } });
      expect(JSON.stringify(failed)).toContain('Raise max_replication_slots');
    } finally {
      for (const slot of mine) await customer.query(`select pg_drop_replication_slot('${slot}')`);
    }
  });

  it('is kept by a vault that can for the minimum retention of its account, before it is called completed', async () => {
    const vault = new LockingVault(world.vault, world.clock);
    const minimumMs = 86_400_000;
    const minimumRetention = { usualMs: 0, byAccount: new Map([['acme', minimumMs]]) };
    const config = { deletion: { ...world.config.deletion, minimumRetention } };
    const [kept, plain] = [await world.request(instanceId), await world.request(instanceId)];
    await attempt(kept, {}, vault, config);
    const sealed = await vault.manifest(kept);
    const until = Date.parse(sealed?.manifest.completedAt ?? '') + minimumMs;
    expect(vault.askedUntil(kept)).toEqual(new Date(until));
    expect(await completedOf(kept)).toMatchObject({ type: 'full' });
    await expect(vault.purge(kept, 1)).rejects.toMatchObject({ code: 'object-locked', retryable: true });
    // An account without a minimum asks for nothing.
    await attempt(plain, {}, vault);
    expect(vault.askedUntil(plain)).toBeUndefined();
    // A directory can't keep anything: only the rules of Strongroom do.
    expect(await world.vault.keepUntil(kept, new Date(until))).toBe(false);
  });

  it('is failed when its runners were lost five times, and not when they gave it back', async () => {
    const given = await world.request(instanceId);
    await attempt(given, { attempt: 9, failures: 0 });
    expect(await completedOf(given)).toMatchObject({ attempt: 9 });
    const lost = await world.request(instanceId);
    for (let begun = 1; begun <= 5; begun += 1) {
      const data = { backupId: lost, attempt: begun, region: 'DFW', runner: 'lost' };
      await world.record(streamOf('backup', lost), instanceId, { type: 'BackupStarted', data });
    }
    await attempt(lost, { attempt: 6, failures: 5 });
    const [asked, ...told] = await world.eventTypesOf(lost);
    expect([asked, told.at(-1)]).toEqual(['BackupRequested', 'BackupFailed']);
    expect(told.filter((type) => type !== 'BackupStarted')).toEqual(['BackupFailed']);
  });

  it('that another runner has taken over is not failed by the first, nor is anything of it removed', async () => {
    const parentId = await full();
    const backupId = await ofSlot(parentId);
    const vault = new EventfulVault(world.vault, async () => {
      const region = 'DFW';
      await world.record(streamOf('backup', backupId), instanceId, {
        type: 'BackupStarted',
        data: { backupId, attempt: 2, region, runner: 'another' },
      });
      await world.vault.begin(backupId, 2);
      throw new VaultFault('vault-unavailable', region, 'The vault of DFW is away.');
    });
    expect(await attempt(backupId, {}, vault)).toBe('finished');
    expect(await world.eventTypesOf(backupId)).toEqual(['BackupRequested', 'BackupStarted', 'BackupStarted']);
    expect(await world.placesOf(backupId)).toEqual([expect.stringMatching(/^2\./)]);
    await attempt(backupId, { attempt: 3 });
    expect(await world.placesOf(backupId)).toEqual([expect.stringMatching(/^3\./)]);
  });
});

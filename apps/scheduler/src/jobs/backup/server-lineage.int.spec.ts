import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { storeBackup } from '@strongroom/engines';
import { VaultFault } from '@strongroom/vault';
import { CustomerDatabase } from '../../../../../test/customer-database.js';
import { PassingVault } from '../../../../../test/vaults/passing-vault.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { ScheduledInstance } from '../../../fixtures/scheduled-instance.js';
import { BackupAttempt } from './backup-attempt.js';
import { ServerLineage } from './server-lineage.js';

let customer: CustomerDatabase;
let world: RunnerWorld;
let instance: ScheduledInstance;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1, settings: { summarize_wal: 'on' } });
  world = await RunnerWorld.create();
}, 120_000);
afterAll(async () => {
  await world.remove();
  await customer.stop();
});
beforeEach(async () => {
  instance = await ScheduledInstance.create(world, customer.server, { dayOfWeek: 7, fullBackupRetention: 1 });
});
afterEach(() => instance.remove());

const both = ['DFW', 'IAD'];
const lineageOf = async (backupId: string) => (await instance.shown(backupId))?.lineage;
const typesOf = (backupId: string) => world.eventTypesOf(backupId);

describe('a server', () => {
  it('that appears behind the address of another takes the place of none of its backups, in no region, however often it is backed up', async () => {
    const real = await instance.slot();
    expect(await instance.heldIn(real)).toEqual(both);
    const putBack = await customer.replace();
    try {
      const [first, second, third] = [await instance.slot(), await instance.slot(), await instance.slot()];
      expect(await instance.shown(real)).toMatchObject({ status: 'COMPLETED' });
      expect(await instance.heldIn(real)).toEqual(both);
      // It counts like any other among the backups of its own lineage.
      expect([await instance.heldIn(first), await instance.heldIn(second)]).toEqual([[], []]);
      expect(await instance.heldIn(third)).toEqual(both);
    } finally {
      await putBack();
    }
  }, 120_000);

  it('is told from another: in the ledger, on the backup, and in the log', async () => {
    const real = await instance.slot();
    expect(await lineageOf(real)).toBe(real);
    const putBack = await customer.replace();
    try {
      const first = await instance.slot();
      expect(await typesOf(first)).toEqual([
        'BackupRequested',
        'BackupStarted',
        'BackupIdentified',
        'AnotherServerFound',
        'BackupCompleted',
      ]);
      const reason = expect.stringContaining('system id');
      expect(await instance.eventOf(first, 'AnotherServerFound')).toMatchObject({
        data: { lineage: first, formerLineage: real, formerBackupId: real, reason },
      });
      expect(await instance.shown(first)).toMatchObject({
        lineage: first,
        anotherServer: { formerLineage: real, formerBackupId: real, reason },
      });
      expect(world.told.find((line) => line.includes(first) && line.includes('another server'))).toContain(real);
      expect(await lineageOf(await instance.slot())).toBe(first);
    } finally {
      await putBack();
    }
  }, 120_000);

  it('that is back is known again, and its backups count together as before', async () => {
    const real = await instance.slot();
    const putBack = await customer.replace();
    const other = await instance.slot();
    await putBack();
    const back = await instance.slot();
    expect(await instance.shown(back)).toMatchObject({ lineage: real, anotherServer: { formerLineage: other } });
    expect(await instance.heldIn(real)).toEqual([]);
    expect([await instance.heldIn(other), await instance.heldIn(back)]).toEqual([both, both]);
    expect(await typesOf(await instance.slot())).not.toContain('AnotherServerFound');
  }, 120_000);

  it('that was accepted in place of another lets its backups go when it has as many as are kept', async () => {
    const real = await instance.slot();
    const putBack = await customer.replace();
    try {
      const first = await instance.slot();
      await world.record(streamOf('instance', instance.instanceId), instance.instanceId, {
        type: 'LineageAccepted',
        data: { instanceId: instance.instanceId, lineage: first, inPlaceOf: [real] },
      });
      await instance.retain(first);
      expect(await instance.heldIn(real)).toEqual([]);
      expect(await instance.heldIn(first)).toEqual(both);
    } finally {
      await putBack();
    }
  }, 120_000);

  it('whose storage was put back to an earlier state is not what it was: what was kept of its later state stays', async () => {
    await instance.change({ fullBackupRetention: 3 });
    await instance.slot();
    const rollBack = await customer.snapshot();
    await customer.query("update ballast set filling = repeat('y', 100)");
    const later = await instance.slot();
    await rollBack();
    const after = [await instance.slot(), await instance.slot(), await instance.slot()];
    expect(await instance.shown(after[0] ?? '')).toMatchObject({
      lineage: after[0],
      anotherServer: { formerBackupId: later, reason: expect.stringContaining('went back') },
    });
    expect(await instance.heldIn(later)).toEqual(both);
    expect(await lineageOf(after[2] ?? '')).toBe(after[0]);
  }, 120_000);

  it('is one with itself after a promotion', async () => {
    const before = await instance.slot();
    await customer.promote();
    const after = await instance.slot();
    expect(await lineageOf(after)).toBe(before);
    expect(await instance.heldIn(before)).toEqual([]);
  }, 120_000);
});

describe('a backup from before lineages were recorded', () => {
  /** Leaves the backup as an older version has left it. */
  const unidentified = async () => {
    const { instanceId } = instance;
    const backupId = await world.request(instanceId);
    const stream = streamOf('backup', backupId);
    const about = { backupId, attempt: 1, region: 'DFW' };
    await world.record(stream, instanceId, { type: 'BackupStarted', data: { ...about, runner: 'spec' } });
    const startedAt = new Date();
    const { host, port, user, password } = customer.server;
    const { location, sizeBytes, rawBytes, sha256 } = await storeBackup({
      ...world,
      ...about,
      target: { instanceId, endpoint: { host, port, user, database: 'postgres', tls: 'disable' }, password },
      backup: {
        backupId,
        accountId: 'acme',
        instanceId,
        instanceName: 'orders',
        type: 'full',
        parentId: null,
        startedAt,
      },
      signal: world.hold().signal,
    });
    const made = { scheduleId: null, type: 'full' as const, parentId: null, copyTo: [] as string[] };
    const stored = { location, sizeBytes, rawBytes, sha256, startedAt: startedAt.toISOString() };
    const data = { ...about, ...made, ...stored, instanceId };
    await world.record(stream, instanceId, { type: 'BackupCompleted', data });
    return backupId;
  };

  it('is identified by its manifest before the next one is judged', async () => {
    const old = await unidentified();
    const putBack = await customer.replace();
    const other = await unidentified();
    await putBack();
    expect(await typesOf(old)).not.toContain('BackupIdentified');
    const now = await instance.slot();
    expect([await lineageOf(old), await lineageOf(other), await lineageOf(now)]).toEqual([old, other, old]);
    expect((await typesOf(old)).at(-1)).toBe('BackupIdentified');
    expect(await instance.shown(other)).toMatchObject({ anotherServer: { formerBackupId: old } });
    expect((await instance.backups.newestCompleted(instance.instanceId))?.id).toBe(now);
  }, 120_000);

  it('whose vault is away holds up no backup that is safe: both are identified with the next one', async () => {
    const old = await unidentified();
    const now = await world.request(instance.instanceId);
    const manifest = async (backupId: string) => {
      if (backupId === old) throw new VaultFault('vault-unavailable', 'DFW', 'The vault of DFW is away.');
      return world.vault.manifest(backupId);
    };
    const lineage = new ServerLineage({ ...world, vault: Object.assign(new PassingVault(world.vault), { manifest }) });
    const parts = { ...world, lineage, vaults: { regions: both } };
    await new BackupAttempt(parts, world.job('backup', now), world.hold()).perform();
    expect(await instance.shown(now)).toMatchObject({ status: 'COMPLETED', lineage: null });
    const next = await instance.slot();
    expect([await lineageOf(old), await lineageOf(now), await lineageOf(next)]).toEqual([old, old, old]);
  }, 120_000);

  it('whose manifest is gone is of no lineage: nothing takes its place', async () => {
    const old = await unidentified();
    await rm(join(world.folder, 'backups', old.slice(-2), old), { recursive: true });
    const now = await instance.slot();
    expect([await lineageOf(old), await lineageOf(now)]).toEqual([null, now]);
    await instance.slot();
    expect(await instance.shown(old)).toMatchObject({ status: 'COMPLETED' });
  }, 120_000);
});

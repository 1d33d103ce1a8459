import { rename } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import type { LeasedJob } from '@strongroom/runtime';
import { type Removed, Vaults } from '@strongroom/vault';
import { CustomerDatabase } from '../../../../../test/customer-database.js';
import { eventually } from '../../../../../test/services/eventually.js';
import { PassingVault } from '../../../../../test/vaults/passing-vault.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt } from '../backup/backup-attempt.js';
import { DeletionAttempt } from './deletion-attempt.js';

let customer: CustomerDatabase;
let world: RunnerWorld;
let backupId: string;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1 });
  world = await RunnerWorld.create();
}, 120_000);
afterAll(async () => {
  await world.remove();
  await customer.stop();
});

beforeEach(async () => {
  const instanceId = await world.register(customer.server);
  backupId = await world.request(instanceId);
  await new BackupAttempt(world, world.job('backup', backupId), world.hold()).perform();
  await world.record(streamOf('backup', backupId), instanceId, {
    type: 'BackupDeletionRequested',
    data: { backupId, instanceId, scheduleId: null, trigger: 'request' },
  });
});

const remove = (job: Partial<LeasedJob> = {}, vaults = world.vaults) =>
  new DeletionAttempt(
    { ...world, vaults, actor: 'spec' },
    world.job('deletion', backupId, job),
    world.hold(),
  ).perform();

/** A vault that cuts Strongroom's own database off after it has been emptied. */
class CuttingVault extends PassingVault {
  override async purge(id: string, attempt: number): Promise<Removed> {
    const removed = await super.purge(id, attempt);
    await world.database.cut();
    return removed;
  }
}

describe('a deletion', () => {
  it("is not given up in an outage of Strongroom's own database: it waits, and what is gone is called deleted", async () => {
    const removing = remove({}, new Vaults(new Map([['DFW', new CuttingVault(world.vault)]])));
    try {
      await eventually(
        () => expect(world.told.join('')).toContain(`for the deletion of backup ${backupId} failed for now`),
        { withinMs: 30_000 },
      );
    } finally {
      await world.database.restore();
    }
    expect(await removing).toBe('finished');
    expect((await world.eventTypesOf(backupId)).at(-1)).toBe('BackupDeleted');
  });

  it('is tried three times though it has waited for others many times before', async () => {
    await rename(world.folder, `${world.folder}.away`);
    try {
      expect(await remove({ attempt: 9, failures: 0 })).toMatchObject({ hasFailed: true });
      expect(await remove({ attempt: 10, failures: 1 })).toMatchObject({ hasFailed: true });
      expect(await remove({ attempt: 11, failures: 2 })).toBe('finished');
    } finally {
      await rename(`${world.folder}.away`, world.folder);
    }
    expect((await world.eventTypesOf(backupId)).at(-1)).toBe('BackupDeletionFailed');
  });

  it('takes what a killed attempt left under a temporary name as well', async () => {
    const upload = await world.vault.begin(backupId, 1);
    await upload.put('base.tar', Readable.from([Buffer.from('rows')]));
    expect(await remove()).toBe('finished');
    expect((await world.eventTypesOf(backupId)).at(-1)).toBe('BackupDeleted');
    expect(await world.placesOf(backupId)).toEqual([]);
    expect(await world.vault.manifest(backupId)).toBeUndefined();
  });
});

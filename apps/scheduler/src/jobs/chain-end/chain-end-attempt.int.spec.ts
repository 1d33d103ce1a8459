import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import type { LeasedJob } from '@strongroom/runtime';
import { CustomerDatabase, chainMarker } from '../../../../../test/customer-database.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt } from '../backup/backup-attempt.js';
import { ChainEndAttempt } from './chain-end-attempt.js';

let customer: CustomerDatabase;
let world: RunnerWorld;
let instanceId: string;
let backupId: string;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1, settings: { summarize_wal: 'on' } });
  world = await RunnerWorld.create();
}, 120_000);
afterAll(async () => {
  await world.remove();
  await customer.stop();
});

beforeEach(async () => {
  for (const slot of await customer.chainMarkers()) await customer.query(`select pg_drop_replication_slot('${slot}')`);
  instanceId = await world.register(customer.server);
  backupId = await world.request(instanceId);
  await new BackupAttempt(world, world.job('backup', backupId), world.hold()).perform();
  expect(await customer.chainMarkers()).toEqual([chainMarker(backupId)]);
});

/** Records a newer backup of the instance, without the replication slot that it would leave. */
const outdated = async () => {
  const newer = await world.request(instanceId);
  const made = { attempt: 1, region: 'DFW', location: newer, sizeBytes: 1, rawBytes: 1, sha256: '0'.repeat(64) };
  await world.record(streamOf('backup', newer), instanceId, {
    type: 'BackupIdentified',
    data: { backupId: newer, instanceId, scheduleId: null, lineage: backupId, facts: null },
  });
  await world.record(streamOf('backup', newer), instanceId, {
    type: 'BackupCompleted',
    data: {
      ...made,
      backupId: newer,
      instanceId,
      scheduleId: null,
      type: 'full',
      parentId: null,
      copyTo: [],
      startedAt: new Date().toISOString(),
    },
  });
  return newer;
};

const end = (fields: Partial<LeasedJob> = {}) =>
  new ChainEndAttempt(world, world.job('chain-end', backupId, fields), world.hold()).perform();
const forget = () =>
  world.record(streamOf('instance', instanceId), instanceId, { type: 'InstanceForgotten', data: { instanceId } });
const lastLine = () => world.told.at(-1) ?? '';

describe('the slot of a backup', () => {
  it('stays as long as it is the newest of its instance, whatever is asked for in error', async () => {
    expect(await end()).toBe('finished');
    expect(await customer.chainMarkers()).toEqual([chainMarker(backupId)]);
  });

  it('goes when it is deleted, though it was the newest', async () => {
    const of = { backupId, instanceId, scheduleId: null };
    const stream = streamOf('backup', backupId);
    await world.record(stream, instanceId, { type: 'BackupDeletionRequested', data: { ...of, trigger: 'request' } });
    await world.record(stream, instanceId, { type: 'BackupDeleted', data: of });
    expect(await end()).toBe('finished');
    expect(await customer.chainMarkers()).toEqual([]);
  });

  it('goes when it is an incremental that another was built on', async () => {
    const built = (parentId: string) =>
      world.request(instanceId, { type: 'incremental', parentId }).then(async (id) => {
        await new BackupAttempt(world, world.job('backup', id), world.hold()).perform();
        return id;
      });
    const child = await built(backupId);
    const grandchild = await built(child);
    for (const id of [backupId, child, grandchild]) {
      await new ChainEndAttempt(world, world.job('chain-end', id), world.hold()).perform();
    }
    expect(await customer.chainMarkers()).toEqual([chainMarker(grandchild)]);
  });
});

describe('the slot of a backup that is not the newest', () => {
  it('is dropped when the server is back, however long it was away; until then it is asked ever more seldom', async () => {
    await outdated();
    await customer.kill();
    expect(await end()).toEqual({ retryInMs: 5_000, hasFailed: true });
    expect(await end({ failures: 3 })).toEqual({ retryInMs: 40_000, hasFailed: true });
    expect(await end({ failures: 100 })).toEqual({ retryInMs: 3_600_000, hasFailed: true });
    await customer.restart();
    expect(await end({ failures: 101 })).toBe('finished');
    expect(await customer.chainMarkers()).toEqual([]);
  });

  it('is named in the log, with its server, when the server stayed away for a week', async () => {
    await outdated();
    await customer.kill();
    expect(await end({ failures: 175 })).toBe('finished');
    await customer.restart();
    expect(lastLine()).toContain(`pg_drop_replication_slot('${chainMarker(backupId)}')`);
    expect(lastLine()).toContain(`127.0.0.1:${customer.server.port}`);
  });

  it('of an attempt that failed is dropped', async () => {
    const failed = await world.request(instanceId);
    // An attempt that made its replication slot and was killed leaves the server like this.
    await customer.query(`select pg_create_physical_replication_slot('${chainMarker(failed)}')`);
    await world.record(streamOf('backup', failed), instanceId, {
      type: 'BackupFailed',
      data: { backupId: failed, instanceId, scheduleId: null, attempt: 1, code: 'x', reason: 'y' },
    });
    await new ChainEndAttempt(world, world.job('chain-end', failed), world.hold()).perform();
    expect(await customer.chainMarkers()).toEqual([chainMarker(backupId)]);
  });

  it('goes though its instance has been forgotten, as long as the password is there', async () => {
    await forget();
    expect(await end()).toBe('finished');
    expect(await customer.chainMarkers()).toEqual([]);
  });

  it('of a forgotten instance whose password is gone is named in the log', async () => {
    await forget();
    await world.credentials.remove(instanceId);
    expect(await end()).toBe('finished');
    expect(await customer.chainMarkers()).toEqual([chainMarker(backupId)]);
    expect(lastLine()).toContain(chainMarker(backupId));
  });
});

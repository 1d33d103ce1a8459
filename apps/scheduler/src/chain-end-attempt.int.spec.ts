import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { chainSlotOf } from '@strongroom/engines';
import type { LeasedJob } from '@strongroom/runtime';
import { CustomerDatabase } from '../../../test/customer-database.js';
import { RunnerWorld } from '../fixtures/runner-world.js';
import { BackupAttempt } from './backup-attempt.js';
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
  for (const slot of await customer.chainSlots()) await customer.query(`select pg_drop_replication_slot('${slot}')`);
  instanceId = await world.register(customer.server);
  backupId = await world.request(instanceId);
  await new BackupAttempt(world, world.job('backup', backupId), world.hold()).perform();
  expect(await customer.chainSlots()).toEqual([chainSlotOf(backupId)]);
});

const end = (fields: Partial<LeasedJob> = {}) =>
  new ChainEndAttempt(world, world.job('chain-end', backupId, fields), world.hold()).perform();
const forget = () =>
  world.record(streamOf('instance', instanceId), instanceId, { type: 'InstanceForgotten', data: { instanceId } });
const lastLine = () => world.told.at(-1) ?? '';

describe('the slot of an ended chain', () => {
  it('is dropped when the server is back, however long it was away; until then it is asked ever more seldom', async () => {
    await customer.kill();
    expect(await end()).toEqual({ retryInMs: 5_000, hasFailed: true });
    expect(await end({ failures: 3 })).toEqual({ retryInMs: 40_000, hasFailed: true });
    expect(await end({ failures: 100 })).toEqual({ retryInMs: 3_600_000, hasFailed: true });
    await customer.restart();
    expect(await end({ failures: 101 })).toBe('finished');
    expect(await customer.chainSlots()).toEqual([]);
  });

  it('is named in the log, with its server, when the server stayed away for a week', async () => {
    await customer.kill();
    expect(await end({ failures: 175 })).toBe('finished');
    await customer.restart();
    expect(lastLine()).toContain(`pg_drop_replication_slot('${chainSlotOf(backupId)}')`);
    expect(lastLine()).toContain(`127.0.0.1:${customer.server.port}`);
  });

  it('of an attempt that was lost is dropped, though the run of the schedule came to be an incremental after it', async () => {
    const slot = { trigger: 'slot' as const, scheduleId: world.ids.next(), slotAt: '2026-11-24T02:00:00.000Z' };
    const run = await world.request(instanceId, { ...slot, type: 'incremental', parentId: backupId });
    // As an attempt leaves it that could not build on the parent, and was killed.
    await customer.query(`select pg_create_physical_replication_slot('${chainSlotOf(run)}')`);
    await new BackupAttempt(world, world.job('backup', run, { attempt: 2 }), world.hold()).perform();
    await new ChainEndAttempt(world, world.job('chain-end', run), world.hold()).perform();
    expect(await customer.chainSlots()).toEqual([chainSlotOf(backupId)]);
  });

  it('goes though its instance has been forgotten, as long as the password is there', async () => {
    await forget();
    expect(await end()).toBe('finished');
    expect(await customer.chainSlots()).toEqual([]);
  });

  it('of a forgotten instance whose password is gone is named in the log', async () => {
    await forget();
    await world.credentials.remove(instanceId);
    expect(await end()).toBe('finished');
    expect(await customer.chainSlots()).toEqual([chainSlotOf(backupId)]);
    expect(lastLine()).toContain(chainSlotOf(backupId));
  });
});

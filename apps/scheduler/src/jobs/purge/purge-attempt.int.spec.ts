import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Jobs } from '@strongroom/runtime';
import { accountId, DeletingWorld, type Stored, type ToStore } from '../../../fixtures/deleting-world.js';

const hour = 3_600_000;
const day = 24 * hour;
const delayMs = 7 * day;
let world: DeletingWorld;
beforeAll(async () => {
  world = await DeletingWorld.create();
});
afterAll(() => world.remove());
afterEach(async () => {
  world.slotTime.isInDoubt = false;
  world.clock.set(new Date());
  Object.assign(world.config.deletion, { delayMs: 0, bulkLimit: 0 });
  Object.assign(world.config.deletion.minimumRetention, { usualMs: 0, byAccount: new Map() });
  // What a test has deleted counts in no other.
  for (const stored of await world.marked()) {
    await world.onBackup(stored, { type: 'RevertDeletion', backupId: stored.backupId, accountId });
  }
});

const everywhere = ['DFW', 'IAD', 'ORD'];
const copies = ['IAD', 'ORD'];
const remove = (stored: Stored, actor?: string) => world.delete(stored, actor);
const lastOf = async (stored: Stored) => (await world.typesOf(stored)).at(-1);
const isGoing = async (...all: Stored[]) => {
  const types = await Promise.all(all.map(lastOf));
  return types.map((type) => type === 'BackupDeletionRequested');
};
const childOf = ({ backupId: parentId, instanceId }: Stored, fields: ToStore = {}) =>
  world.store({ instanceId, parentId, copies, ...fields });

describe('a deleted backup', () => {
  it('is whole in every region until the delay is over, and then goes from all of them', async () => {
    world.config.deletion.delayMs = delayMs;
    const stored = await world.store({ copies });
    await remove(stored);
    expect(await world.shown(stored)).toBeUndefined();
    expect(await world.purge(stored)).toEqual({ retryInMs: hour });
    expect(await world.attempt(stored)).toBe('finished');
    expect(await world.heldIn(stored)).toEqual(everywhere);
    world.clock.advance(delayMs - 60_000);
    expect(await world.purge(stored)).toMatchObject({ retryInMs: expect.any(Number) });
    expect(await isGoing(stored)).toEqual([false]);
    world.clock.advance(120_000);
    expect(await world.purge(stored)).toBe('finished');
    expect(await world.attempt(stored)).toBe('finished');
    expect(await world.heldIn(stored)).toEqual([]);
    expect(await lastOf(stored)).toBe('BackupDeleted');
  });

  it('is looked at when the job is ready, which comes with the deletion and is put back when it is lost', async () => {
    world.config.deletion.delayMs = delayMs;
    const stored = await world.store();
    await remove(stored);
    const jobs = new Jobs(world.dataSource);
    expect(await jobs.absent('purge', [stored.backupId])).toEqual(new Set());
    await world.dataSource.query(`delete from job where kind = 'purge'`);
    await world.pass(600_000);
    const { found } = await world.unfinished.purges();
    expect(found).toContainEqual({ id: stored.backupId, accountId });
  });

  it('goes at once where there is no delay', async () => {
    const stored = await world.store({ copies });
    await remove(stored);
    expect(await lastOf(stored)).toBe('BackupDeletionRequested');
  });

  it('stays until the minimum retention of its account is over, though there is no delay', async () => {
    world.config.deletion.minimumRetention.byAccount.set(accountId, 30 * day);
    const stored = await world.store({ copies });
    await remove(stored);
    world.clock.advance(29 * day);
    await world.purge(stored);
    expect(await world.heldIn(stored)).toEqual(everywhere);
    world.clock.advance(2 * day);
    expect(await world.purge(stored)).toBe('finished');
    expect(await isGoing(stored)).toEqual([true]);
  });

  it('stays longer when the minimum was made longer since', async () => {
    world.config.deletion.delayMs = delayMs;
    const stored = await world.store();
    await remove(stored);
    world.config.deletion.minimumRetention.usualMs = 30 * day;
    world.clock.advance(8 * day);
    await world.purge(stored);
    expect(await isGoing(stored)).toEqual([false]);
    world.clock.advance(23 * day);
    await world.purge(stored);
    expect(await isGoing(stored)).toEqual([true]);
  });

  it('that was brought back is not removed by the look that was due', async () => {
    world.config.deletion.delayMs = delayMs;
    const stored = await world.store({ copies });
    await remove(stored);
    await world.onBackup(stored, { type: 'RevertDeletion', backupId: stored.backupId, accountId });
    world.clock.advance(2 * delayMs);
    expect(await world.purge(stored)).toBe('finished');
    expect(await world.shown(stored)).toMatchObject({ status: 'COMPLETED' });
    expect(await world.heldIn(stored)).toEqual(everywhere);
  });
});

describe('a clock that is wrong', () => {
  it('removes nothing while it is in doubt', async () => {
    world.config.deletion.delayMs = delayMs;
    const stored = await world.store();
    await remove(stored);
    world.clock.advance(2 * delayMs);
    world.slotTime.isInDoubt = true;
    expect(await world.purge(stored)).toEqual({ retryInMs: 10_000 });
    expect(await isGoing(stored)).toEqual([false]);
    world.slotTime.isInDoubt = false;
    await world.purge(stored);
    expect(await isGoing(stored)).toEqual([true]);
  });

  it('of whoever deletes shortens nothing, because that of the ledger counts too', async () => {
    world.config.deletion.delayMs = delayMs;
    const stored = await world.store();
    world.clock.advance(-30 * day);
    await remove(stored);
    world.clock.set(new Date());
    await world.purge(stored);
    expect(await isGoing(stored)).toEqual([false]);
  });
});

describe('a chain', () => {
  it('goes together, when the time of the last of it has come', async () => {
    world.config.deletion.delayMs = delayMs;
    const full = await world.store({ copies });
    const monday = await childOf(full);
    await remove(monday);
    world.config.deletion.delayMs = 2 * delayMs;
    await remove(full);
    world.config.deletion.delayMs = delayMs;
    world.clock.advance(delayMs + hour);
    // The incremental was deleted for itself, and goes by itself. What it is built on was told a longer time.
    await world.purge(full);
    expect(await isGoing(full, monday)).toEqual([false, false]);
    await world.purge(monday);
    expect(await isGoing(full, monday)).toEqual([false, true]);
    world.clock.advance(delayMs);
    expect(await world.purge(full)).toBe('finished');
    expect(await world.attempt(full)).toBe('finished');
    for (const each of [full, monday]) expect(await world.heldIn(each)).toEqual([]);
  });

  it('keeps what it is built on as long as one of it is on hold', async () => {
    world.config.deletion.delayMs = delayMs;
    const full = await world.store({ copies });
    const child = await childOf(full);
    await remove(full);
    await world.onBackup(child, { type: 'HoldBackup', backupId: child.backupId, accountId, reason: 'case' });
    world.clock.advance(2 * delayMs);
    expect(await world.purge(full)).toEqual({ retryInMs: hour });
    for (const each of [full, child]) expect(await world.heldIn(each)).toEqual(everywhere);
    await world.onBackup(child, { type: 'LiftHold', backupId: child.backupId, accountId });
    expect(await world.purge(full)).toBe('finished');
    expect(await isGoing(full, child)).toEqual([true, true]);
  });

  it('waits for what is built on it meanwhile, and deletes that with a delay of its own', async () => {
    world.config.deletion.delayMs = delayMs;
    const full = await world.store();
    await remove(full);
    const child = await childOf(full, { copies: [], isRunning: true });
    world.clock.advance(delayMs + hour);
    expect(await world.purge(full)).toEqual({ retryInMs: 10_000 });
    const end = { type: 'FailBackup' as const, backupId: child.backupId, attempt: 1, code: 'x', reason: 'y' };
    await world.onBackup(child, end);
    await world.purge(full);
    expect(await lastOf(child)).toBe('BackupDeletionMarked');
    await world.purge(full);
    expect(await isGoing(full, child)).toEqual([false, false]);
    world.clock.advance(delayMs + hour);
    expect(await world.purge(full)).toBe('finished');
    expect(await isGoing(full, child)).toEqual([true, true]);
  });

  it('is asked to go as a whole, or not at all, when somebody is faster', async () => {
    world.config.deletion.delayMs = delayMs;
    const full = await world.store();
    const child = await childOf(full, { copies: [] });
    await remove(full);
    world.clock.advance(2 * delayMs);
    const [hold] = await Promise.all([
      world.onBackup(child, { type: 'HoldBackup', backupId: child.backupId, accountId, reason: 'case' }).then(
        () => 'held',
        () => 'refused',
      ),
      world.purge(full),
    ]);
    const isHeld = hold === 'held' && (await lastOf(child)) === 'BackupHeld';
    expect(await isGoing(full, child)).toEqual(isHeld ? [false, false] : [true, true]);
  });
});

describe('many deleted backups', () => {
  it('wait for a second person, who is not the one that deleted, as long as there are so many', async () => {
    Object.assign(world.config.deletion, { delayMs, bulkLimit: 2 });
    const stored = [await world.store(), await world.store(), await world.store()];
    for (const each of stored) await remove(each, 'first');
    world.clock.advance(2 * delayMs);
    for (const each of stored) expect(await world.purge(each)).toEqual({ retryInMs: hour });
    expect(await isGoing(...stored)).toEqual([false, false, false]);
    const [one, two] = stored as [Stored, Stored, Stored];
    const approve = (by: string) => ({ type: 'ApproveDeletion' as const, backupId: one.backupId, accountId, by });
    await expect(world.onBackup(one, approve('first'))).rejects.toThrow('somebody else has to approve');
    await world.onBackup(one, approve('second'));
    expect(await world.purge(one)).toBe('finished');
    // Two are no more than the limit.
    expect(await world.purge(two)).toBe('finished');
  });

  it('do not wait where the operator wants no second person, and not for what retention deleted', async () => {
    world.config.deletion.delayMs = delayMs;
    const stored = [await world.store(), await world.store()];
    for (const each of stored) await remove(each);
    world.clock.advance(2 * delayMs);
    for (const each of stored) expect(await world.purge(each)).toBe('finished');
  });
});

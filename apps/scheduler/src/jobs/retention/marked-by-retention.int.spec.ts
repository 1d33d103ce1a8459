import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { accountId, DeletingWorld, type Stored, type ToStore } from '../../../fixtures/deleting-world.js';

const hour = 3_600_000;
const day = 24 * hour;
const delayMs = 7 * day;
let world: DeletingWorld;
let scheduleId: string;
let instanceId: string;

beforeAll(async () => {
  world = await DeletingWorld.create();
});
afterAll(() => world.remove());
beforeEach(async () => {
  world.clock.set(new Date());
  Object.assign(world.config.deletion, { delayMs, bulkLimit: 0 });
  world.config.deletion.minimumRetention.usualMs = 0;
  [scheduleId, instanceId] = [world.ids.next(), world.ids.next()];
});

const everywhere = ['DFW', 'IAD', 'ORD'];
const ofSlot = (fields: ToStore = {}) => world.store({ scheduleId, instanceId, copies: ['IAD'], ...fields });
const retain = (after: Stored) => world.retain(after, ...everywhere);
const lastOf = async (stored: Stored) => (await world.typesOf(stored)).at(-1);
const change = (changes: { fullBackupRetention?: number; copyTo?: string[] }) =>
  world.onSchedule(scheduleId, instanceId, { type: 'UpdateSchedule', accountId, scheduleId, changes });

describe('what retention deletes', () => {
  it('is marked, is whole until the delay is over, and goes then', async () => {
    await world.schedule(scheduleId, instanceId, 1, ['IAD']);
    const [old, newer] = [await ofSlot(), await ofSlot()];
    await retain(newer);
    expect(await lastOf(old)).toBe('BackupDeletionMarked');
    expect(await world.heldIn(old)).toEqual(['DFW', 'IAD']);
    await world.purge(old);
    expect(await lastOf(old)).toBe('BackupDeletionMarked');
    world.clock.advance(delayMs + hour);
    await world.purge(old);
    expect(await lastOf(old)).toBe('BackupDeletionRequested');
  });

  it('stays until the minimum retention is over', async () => {
    world.config.deletion.minimumRetention.usualMs = 30 * day;
    await world.schedule(scheduleId, instanceId, 1, ['IAD']);
    const [old, newer] = [await ofSlot(), await ofSlot()];
    await retain(newer);
    world.clock.advance(29 * day);
    await world.purge(old);
    expect(await world.heldIn(old)).toEqual(['DFW', 'IAD']);
    expect(await lastOf(old)).toBe('BackupDeletionMarked');
  });

  it('stays when somebody brought it back, until somebody deletes it', async () => {
    await world.schedule(scheduleId, instanceId, 1, ['IAD']);
    const [old, newer] = [await ofSlot(), await ofSlot()];
    await retain(newer);
    await world.onBackup(old, { type: 'RevertDeletion', backupId: old.backupId, accountId });
    const newest = await ofSlot();
    await retain(newest);
    expect(await lastOf(old)).toBe('BackupDeletionReverted');
    expect(await lastOf(newer)).toBe('BackupDeletionMarked');
    expect(await world.delete(old)).toBeUndefined();
    expect(await lastOf(old)).toBe('BackupDeletionMarked');
  });

  it('does not come to stay by being brought back from what somebody deleted', async () => {
    await world.schedule(scheduleId, instanceId, 1, ['IAD']);
    const old = await ofSlot();
    await world.delete(old);
    await world.onBackup(old, { type: 'RevertDeletion', backupId: old.backupId, accountId });
    const newer = await ofSlot();
    await retain(newer);
    expect(await lastOf(old)).toBe('BackupDeletionMarked');
  });

  it('is not what is on hold, nor what that is built on, and says so', async () => {
    await world.schedule(scheduleId, instanceId, 1, ['IAD']);
    const old = await ofSlot();
    const child = await ofSlot({ parentId: old.backupId });
    await world.onBackup(child, { type: 'HoldBackup', backupId: child.backupId, accountId, reason: 'case' });
    const newer = await ofSlot();
    await retain(newer);
    expect(await world.putOff(old)).toEqual({ ground: 'on-hold', waitsFor: [child.backupId], told: 1 });
    await retain(newer);
    expect(await world.putOff(old)).toMatchObject({ told: 1 });
    await world.onBackup(child, { type: 'LiftHold', backupId: child.backupId, accountId });
    await retain(newer);
    for (const gone of [old, child]) expect(await lastOf(gone)).toBe('BackupDeletionMarked');
  });
});

describe('a schedule that keeps less than before', () => {
  it('lets nothing more go until the delay is over, and says until when', async () => {
    await world.schedule(scheduleId, instanceId, 3, ['IAD']);
    const [a, b, c] = [await ofSlot(), await ofSlot(), await ofSlot()];
    await change({ fullBackupRetention: 1 });
    await retain(c);
    expect(await world.putOff(a)).toEqual({ ground: 'schedule-changed', waitsFor: [], told: 1 });
    expect(await world.putOff(b)).toMatchObject({ ground: 'schedule-changed' });
    const d = await ofSlot();
    await retain(d);
    // By what the schedule said before, the oldest goes as ever.
    expect(await lastOf(a)).toBe('BackupDeletionMarked');
    expect(await world.putOff(b)).toMatchObject({ ground: 'schedule-changed', told: 1 });
    world.clock.advance(delayMs + hour);
    await retain(d);
    for (const gone of [b, c]) expect(await lastOf(gone)).toBe('BackupDeletionMarked');
    expect(await lastOf(d)).toBe('BackupCompleted');
  });

  it('does not have backups without copies replace those with copies until the delay is over', async () => {
    await world.schedule(scheduleId, instanceId, 1, ['IAD']);
    const old = await ofSlot();
    await change({ copyTo: [] });
    world.slotsFromNow();
    const bare = await ofSlot({ copies: [], copyTo: [] });
    await retain(bare);
    expect(await world.putOff(old)).toMatchObject({ ground: 'schedule-changed' });
    world.clock.advance(delayMs + hour);
    await retain(bare);
    expect(await lastOf(old)).toBe('BackupDeletionMarked');
  });

  it('that is moved makes no cycles that push others out', async () => {
    await world.schedule(scheduleId, instanceId, 2, ['IAD']);
    const [a, b] = [await ofSlot(), await ofSlot()];
    world.slotsApart(60_000);
    const [c, d] = [await ofSlot(), await ofSlot()];
    await retain(d);
    expect(await lastOf(a)).toBe('BackupDeletionMarked');
    for (const kept of [b, c, d]) expect(await lastOf(kept)).toBe('BackupCompleted');
  });

  it.each([7 * day, 600_000, 1_000])(
    'that is moved again and again keeps as long as one that is left alone, with a delay of %d ms',
    async (delay) => {
      world.config.deletion.delayMs = delay;
      await world.schedule(scheduleId, instanceId, 2, ['IAD']);
      world.slotsApart(0.6 * day);
      const [a, b, c] = [await ofSlot(), await ofSlot(), await ofSlot()];
      await retain(c);
      // It has run three times in less than two of its days.
      for (const kept of [a, b, c]) expect(await lastOf(kept)).toBe('BackupCompleted');
    },
  );
});

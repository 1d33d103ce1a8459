import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addEvent, removeNewest } from '../../../../../test/services/unreadable-event.js';
import { accountId, DeletingWorld, type Stored, type ToStore } from '../../../fixtures/deleting-world.js';

let world: DeletingWorld;
let scheduleId: string;
let instanceId: string;

beforeAll(async () => {
  world = await DeletingWorld.create();
});
afterAll(() => world.remove());
beforeEach(async () => {
  [scheduleId, instanceId] = [world.ids.next(), world.ids.next()];
  await world.schedule(scheduleId, instanceId, 1, ['IAD']);
});

const ofSlot = (fields: ToStore = {}) => world.store({ scheduleId, instanceId, copyTo: ['IAD'], ...fields });
const byHand = ({ backupId: parentId }: Stored, fields: ToStore = {}) =>
  world.store({ instanceId, parentId, copyTo: [], ...fields });
const copied = { copies: ['IAD'] };
const everywhere = ['DFW', 'IAD', 'ORD'];
const retention = (after: Stored) => world.retain(after, ...everywhere);
const lastOf = async (stored: Stored) => (await world.typesOf(stored)).at(-1);
const keep = (fullBackupRetention: number) =>
  world.onSchedule(scheduleId, instanceId, {
    type: 'UpdateSchedule',
    accountId,
    scheduleId,
    changes: { fullBackupRetention },
  });

describe('a backup that has had its time says why it is there', () => {
  it('while a newer one is not in every region, once, however often retention looks and however many follow', async () => {
    const [old, newer] = [await ofSlot(copied), await ofSlot()];
    for (let count = 0; count < 3; count += 1) await retention(newer);
    expect(await world.putOff(old)).toEqual({ ground: 'copies-missing', waitsFor: [newer.backupId], told: 1 });
    const newest = await ofSlot();
    await retention(newest);
    expect(await world.putOff(old)).toEqual({ ground: 'copies-missing', waitsFor: [newer.backupId], told: 1 });
    expect(await world.putOff(newer)).toEqual({ ground: 'copies-missing', waitsFor: [newest.backupId], told: 1 });
    // Once it is there, the newest is what is waited for.
    await world.copy(newer, 'IAD');
    await retention(newer);
    expect(await world.putOff(old)).toEqual({ ground: 'copies-missing', waitsFor: [newest.backupId], told: 2 });
    await world.copy(newest, 'IAD');
    await retention(newest);
    for (const gone of [old, newer]) expect(await lastOf(gone)).toBe('BackupDeletionRequested');
  });

  it('while one is built on it that retention keeps, until that is deleted', async () => {
    const old = await ofSlot(copied);
    const asked = await byHand(old);
    const newer = await ofSlot(copied);
    for (let count = 0; count < 2; count += 1) await retention(newer);
    expect(await world.putOff(old)).toEqual({ ground: 'built-on', waitsFor: [asked.backupId], told: 1 });
    expect(await world.putOff(asked)).toMatchObject({ ground: undefined });

    await world.askForDeletion(asked);
    expect(await world.tellReasons()).toBe(1);
    expect(await world.putOff(old)).toEqual({ ground: 'next-completion', waitsFor: [], told: 2 });
    // Its deletion fails: it is there again, and so is the reason.
    await world.onBackup(asked, {
      type: 'FailDeletion',
      backupId: asked.backupId,
      code: 'vault-full',
      reason: 'no room',
    });
    await world.tellReasons();
    expect(await world.putOff(old)).toEqual({ ground: 'built-on', waitsFor: [asked.backupId], told: 3 });

    await world.askForDeletion(asked);
    await world.attempt(asked);
    await retention(newer);
    expect(await lastOf(old)).toBe('BackupDeletionRequested');
  });

  it('while one that is built on it has not ended, until that has failed', async () => {
    const old = await ofSlot(copied);
    const child = await byHand(old, { isRunning: true });
    const newer = await ofSlot(copied);
    await retention(newer);
    expect(await world.putOff(old)).toEqual({ ground: 'built-on', waitsFor: [child.backupId], told: 1 });
    const failed = { code: 'server-unreachable', reason: 'It did not answer.' };
    await world.onBackup(child, { type: 'FailBackup', backupId: child.backupId, attempt: 1, ...failed });
    await world.tellReasons();
    expect(await world.putOff(old)).toMatchObject({ ground: 'next-completion' });
    await retention(newer);
    expect(await lastOf(old)).toBe('BackupDeletionRequested');
  });

  it('while what it waits for is not asked for, because a schedule keeps fewer since; and not when it keeps more', async () => {
    await keep(2);
    const [old, newer] = [await ofSlot(copied), await ofSlot(copied)];
    await retention(newer);
    expect(await world.putOff(old)).toEqual({ ground: undefined, waitsFor: [], told: 0 });
    await keep(1);
    await world.tellReasons();
    expect(await world.putOff(old)).toMatchObject({ ground: 'next-completion', told: 1 });
    expect((await world.shown(old))?.putOff?.reason).toContain(`schedule ${scheduleId}`);
    await keep(2);
    await world.tellReasons();
    expect(await world.putOff(old)).toMatchObject({ ground: undefined });
    expect(await lastOf(old)).toBe('BackupDeletionCalledOff');
    await keep(1);
    await retention(newer);
    expect(await lastOf(old)).toBe('BackupDeletionRequested');
  });

  it('and no longer when its schedule is deleted, because nobody wants it gone then', async () => {
    const [old, newer] = [await ofSlot(copied), await ofSlot()];
    await retention(newer);
    expect(await world.putOff(old)).toMatchObject({ ground: 'copies-missing' });
    await world.onSchedule(scheduleId, instanceId, { type: 'DeleteSchedule', accountId, scheduleId });
    await world.tellReasons();
    expect(await world.putOff(old)).toMatchObject({ ground: undefined });
  });

  it('and no longer when the one that was to replace it is deleted', async () => {
    const [old, newer] = [await ofSlot(copied), await ofSlot()];
    await retention(newer);
    await world.askForDeletion(newer);
    await world.tellReasons();
    expect(await world.putOff(old)).toMatchObject({ ground: undefined });
  });

  it('while the newer one lies where there is no vault any more, and is owed to no other region', async () => {
    const old = await ofSlot({ ...copied, copyTo: [] });
    const newer = await ofSlot({ madeIn: 'ORD', copyTo: [] });
    await world.retain(newer, 'DFW', 'IAD');
    expect(await world.putOff(old)).toEqual({ ground: 'copies-missing', waitsFor: [newer.backupId], told: 1 });
  });

  it('again when the region that it waited for has no vault any more', async () => {
    const [old, newer] = [await ofSlot(copied), await ofSlot()];
    await world.askForCopy(newer, 'IAD');
    await retention(newer);
    await world.onCopy(newer, 'IAD', { type: 'StrandCopy', reason: 'IAD has no vault any more.' });
    await world.tellReasons('DFW', 'ORD');
    expect(await world.putOff(old)).toMatchObject({ ground: 'next-completion' });
    await world.retain(newer, 'DFW', 'ORD');
    expect(await lastOf(old)).toBe('BackupDeletionRequested');
  });

  it('while the history of one that is built on it can not be read, and others go meanwhile', async () => {
    const broken = await ofSlot(copied);
    const child = await ofSlot({ ...copied, parentId: broken.backupId });
    const other = await ofSlot(copied);
    const newer = await ofSlot(copied);
    await world.shown(newer);
    await addEvent(world.dataSource, `backup-${child.backupId}`);
    await expect(retention(newer)).rejects.toThrow("can't be read");
    expect(await lastOf(other)).toBe('BackupDeletionRequested');
    expect(await world.putOff(broken)).toMatchObject({ ground: 'set-aside', told: 1 });
    expect((await world.shown(broken))?.putOff?.reason).toContain(child.backupId);
    await removeNewest(world.dataSource, `backup-${child.backupId}`);
    await retention(newer);
    for (const gone of [broken, child]) expect(await lastOf(gone)).toBe('BackupDeletionRequested');
  });
});

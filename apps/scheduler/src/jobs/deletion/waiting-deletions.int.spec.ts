import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DeletingWorld } from '../../../fixtures/deleting-world.js';

let world: DeletingWorld;
beforeAll(async () => {
  world = await DeletingWorld.create();
});
afterAll(() => world.remove());

describe('a deletion that waits', () => {
  it('for one that was begun on the backup meanwhile says which, and goes on when that has ended', async () => {
    const parent = await world.store();
    const { instanceId, backupId: parentId } = parent;
    const sibling = await world.store({ parentId, instanceId });
    await world.askForDeletion(parent, sibling);
    const child = await world.store({ parentId, instanceId, isRunning: true });
    expect(await world.attempt(parent)).toBe('finished');
    for (const each of [parent, sibling]) {
      expect(await world.shown(each)).toMatchObject({
        status: 'DELETE_FAILED',
        fault: { code: 'backup-still-running', reason: expect.stringContaining(child.backupId) },
        putOff: { ground: 'backup-still-running', waitsFor: [child.backupId] },
      });
      expect(await world.heldIn(each)).toEqual(['DFW']);
    }
    const told = await world.typesOf(parent);
    for (let count = 0; count < 3; count += 1) await world.lookForStranded();
    expect(await world.typesOf(parent)).toEqual(told);

    const failed = { code: 'server-unreachable', reason: 'It did not answer.' };
    await world.onBackup(child, { type: 'FailBackup', backupId: child.backupId, attempt: 1, ...failed });
    // What the fault says is over, also where a region is away by now: the next attempt says so.
    await world.takeAway('DFW');
    try {
      await world.lookForStranded();
      await world.attempt(parent);
      expect(await world.shown(parent)).toMatchObject({ fault: { code: 'vault-unavailable' } });
    } finally {
      await world.bringBack('DFW');
    }
    await world.pass(3_600_000);
    await world.lookForStranded();
    await world.attempt(parent);
    for (const each of [parent, sibling, child]) expect((await world.typesOf(each)).at(-1)).toBe('BackupDeleted');
  });

  it('for what is built on the backup and could not be deleted names it', async () => {
    const parent = await world.store({ copies: ['IAD'] });
    const { instanceId, backupId: parentId } = parent;
    const child = await world.store({ copies: ['IAD', 'ORD'], parentId, instanceId });
    await world.askForDeletion(parent, child);
    await world.takeAway('ORD');
    try {
      await world.attempt(parent);
    } finally {
      await world.bringBack('ORD');
    }
    expect(await world.shown(parent)).toMatchObject({
      fault: { reason: expect.stringContaining(`Backup ${child.backupId}, which is built on it, is still there.`) },
      putOff: { waitsFor: [child.backupId] },
    });
    expect(await world.shown(child)).toMatchObject({ status: 'DELETE_FAILED', putOff: null });
  });

  it('goes on by itself, as its fault says, though its parent needs somebody', async () => {
    const parent = await world.store();
    const { instanceId, backupId: parentId } = parent;
    const child = await world.store({ parentId, instanceId });
    await world.askForDeletion(parent, child);
    const fail = async (stored: typeof parent, code: string) =>
      world.onBackup(stored, { type: 'FailDeletion', backupId: stored.backupId, code, reason: 'as the spec has it' });
    await fail(parent, 'vault-denied');
    await fail(child, 'vault-unavailable');
    await world.shown(parent);
    await world.pass(3_600_000);
    await world.lookForStranded();
    expect((await world.typesOf(child)).at(-1)).toBe('BackupDeletionRequested');
    expect((await world.typesOf(parent)).at(-1)).toBe('BackupDeletionFailed');
    await world.attempt(child);
    expect((await world.typesOf(child)).at(-1)).toBe('BackupDeleted');
  });
});

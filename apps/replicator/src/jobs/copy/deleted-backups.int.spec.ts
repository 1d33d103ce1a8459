import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { workAskedBy } from '@strongroom/domain';
import { accountId, CopyingWorld } from '../../../fixtures/copying-world.js';

let world: CopyingWorld;
beforeAll(async () => {
  world = await CopyingWorld.create();
});
afterAll(() => world.remove());

/** A full backup and an incremental on it, of which both were deleted and can be brought back. */
async function deletedChain() {
  const parent = await world.backUp('DFW');
  const { instanceId, backupId: rootId } = parent;
  const child = await world.backUp('DFW', { parentId: rootId, instanceId });
  const mark = (backupId: string) =>
    world.onBackup(backupId, instanceId, {
      type: 'MarkDeletion',
      backupId,
      accountId,
      trigger: 'request',
      rootId,
      purgeAt: '2026-12-01T00:00:00.000Z',
    });
  await world.requestCopy(child, 'IAD');
  for (const { backupId } of [parent, child]) await mark(backupId);
  return { parent, child };
}

describe('a copy of a backup that is deleted and can be brought back', () => {
  it('goes on, with what the backup is built on: it is there when that comes back', async () => {
    const { parent, child } = await deletedChain();
    await world.attempt(child, 'IAD');
    expect(await world.typesOf(child, 'IAD')).toEqual(['CopyRequested']);
    expect(await world.typesOf(parent, 'IAD')).toEqual(['CopyRequested']);
    expect(await world.attempt(parent, 'IAD')).toBe('finished');
    expect(await world.attempt(child, 'IAD')).toBe('finished');
    for (const each of [parent, child]) expect(await world.isWhole(each, 'IAD')).toBe(true);
  });

  it('is planned when the backup comes back, where it was deleted before that', () => {
    const ids = { backupId: 'backup', instanceId: 'instance', scheduleId: null, rootId: 'backup' };
    const asked = workAskedBy({ type: 'BackupDeletionReverted', data: ids });
    expect(asked).toContainEqual({ kind: 'plan', id: 'backup' });
  });
});

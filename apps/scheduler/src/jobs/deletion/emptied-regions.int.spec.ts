import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { copyId } from '@strongroom/domain';
import { addEvent, removeNewest } from '../../../../../test/services/unreadable-event.js';
import { DeletingWorld } from '../../../fixtures/deleting-world.js';

let world: DeletingWorld;
beforeAll(async () => {
  world = await DeletingWorld.create();
});
afterAll(() => world.remove());

describe('a deletion', () => {
  it('calls a copy deleted when its region is empty, and the backup when all of them are', async () => {
    const backup = await world.store({ copies: ['IAD', 'ORD'] });
    await world.askForDeletion(backup);
    expect(await world.attempt(backup)).toBe('finished');
    expect(await world.heldIn(backup)).toEqual([]);
    expect(await world.typesOf(backup)).toEqual(expect.arrayContaining(['BackupDeleted']));
    expect((await world.typesOfCopy(backup, 'IAD')).slice(-2)).toEqual(['CopyDeletionRequested', 'CopyDeleted']);
  });

  it('empties every region but the one that is away, and records nothing as deleted that is there', async () => {
    const backup = await world.store({ copies: ['IAD', 'ORD'] });
    await world.askForDeletion(backup);
    await world.takeAway('IAD');
    try {
      expect(await world.attempt(backup, undefined, 0)).toMatchObject({ hasFailed: true });
      expect(await world.attempt(backup)).toBe('finished');
    } finally {
      await world.bringBack('IAD');
    }
    expect(await world.heldIn(backup)).toEqual(['IAD']);
    expect(await world.shown(backup)).toMatchObject({
      status: 'DELETE_FAILED',
      fault: { code: 'vault-unavailable', reason: expect.stringMatching(/from IAD; everywhere else it is gone/) },
    });
    expect((await world.typesOfCopy(backup, 'IAD')).at(-1)).toBe('CopyDeletionRequested');
    expect((await world.typesOfCopy(backup, 'ORD')).at(-1)).toBe('CopyDeleted');

    await world.askForDeletion(backup);
    expect(await world.attempt(backup)).toBe('finished');
    expect(await world.heldIn(backup)).toEqual([]);
    expect((await world.typesOfCopy(backup, 'IAD')).at(-1)).toBe('CopyDeleted');
    expect(await world.shown(backup)).toBeUndefined();
  });

  it('waits for a vault that keeps the backup from everybody, and goes on by itself when that is over', async () => {
    const backup = await world.store({ copies: ['ORD'] });
    const until = new Date(world.clock.now().getTime() + 3_600_000);
    expect(await world.lock('ORD').keepUntil(backup.backupId, until)).toBe(true);
    await world.askForDeletion(backup);
    // A second try would meet the same lock, so none follows at once.
    expect(await world.attempt(backup, undefined, 0)).toBe('finished');
    expect(await world.heldIn(backup)).toEqual(['ORD']);
    const reason = expect.stringContaining(`until ${until.toISOString()}`);
    expect(await world.shown(backup)).toMatchObject({
      status: 'DELETE_FAILED',
      fault: { code: 'object-locked', reason },
    });

    // Nobody tries before that, however long ago the last try was.
    await world.pass(86_400_000);
    for (let count = 0; count < 3; count += 1) await world.lookForStranded();
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeletionFailed');

    world.clock.set(until);
    await world.pass(60_000);
    await world.lookForStranded();
    expect(await world.attempt(backup)).toBe('finished');
    expect(await world.heldIn(backup)).toEqual([]);
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeleted');
  });

  it('goes on wherever it was cut off', async () => {
    const backup = await world.store({ copies: ['IAD', 'ORD'] });
    await world.askForDeletion(backup);
    // The attempt is cut off when one copy is fenced and another's region is emptied; neither is recorded as deleted.
    await world.onCopy(backup, 'IAD', { type: 'RequestCopyDeletion' });
    await world.onCopy(backup, 'ORD', { type: 'RequestCopyDeletion' });
    await world.vaults().of('ORD').purge(backup.backupId, 1);
    expect(await world.attempt(backup)).toBe('finished');
    expect(await world.heldIn(backup)).toEqual([]);
    for (const region of ['IAD', 'ORD']) expect((await world.typesOfCopy(backup, region)).at(-1)).toBe('CopyDeleted');
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeleted');
  });

  it('empties the region of an earlier attempt at the backup as well, and of copies that an older version called deleted', async () => {
    const backup = await world.store({ madeIn: 'DFW', copies: ['IAD'] });
    await world.onCopy(backup, 'IAD', { type: 'RequestCopyDeletion' });
    await world.onCopy(backup, 'IAD', { type: 'ConfirmCopyDeletion' });
    expect(await world.heldIn(backup)).toEqual(['DFW', 'IAD']);
    await world.askForDeletion(backup);
    expect(await world.attempt(backup)).toBe('finished');
    expect(await world.heldIn(backup)).toEqual([]);
  });

  it('keeps a backup as long as something that was built on it is still there', async () => {
    const parent = await world.store({ copies: ['IAD'] });
    const { instanceId, backupId: parentId } = parent;
    const child = await world.store({ copies: ['IAD', 'ORD'], parentId, instanceId });
    await world.askForDeletion(parent, child);
    await world.takeAway('ORD');
    try {
      expect(await world.attempt(parent)).toBe('finished');
    } finally {
      await world.bringBack('ORD');
    }
    expect([await world.heldIn(parent), await world.heldIn(child)]).toEqual([[], ['ORD']]);
    // A parent is not recorded as deleted before what is built on it.
    expect(await world.shown(parent)).toMatchObject({ status: 'DELETE_FAILED' });
    expect(await world.shown(child)).toMatchObject({ status: 'DELETE_FAILED' });
  });
});

describe('a deletion that has failed because a region was away', () => {
  const failed = async () => {
    const backup = await world.store({ copies: ['IAD', 'ORD'] });
    await world.askForDeletion(backup);
    await world.takeAway('IAD');
    await world.attempt(backup);
    return backup;
  };

  it('goes on by itself when the region is back, not before, and says so', async () => {
    const backup = await failed();
    try {
      expect((await world.shown(backup))?.fault?.reason).toContain(
        'It goes on by itself when that has passed and every region of the backup, and of what is built on it, can be reached.',
      );
      await world.pass(3_600_000);
      for (let count = 0; count < 2; count += 1) await world.lookForStranded('DFW', 'IAD', 'ORD');
      expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeletionFailed');
    } finally {
      await world.bringBack('IAD');
    }
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeletionRequested');
    expect(await world.attempt(backup)).toBe('finished');
    expect(await world.heldIn(backup)).toEqual([]);
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeleted');
  });

  it('is tried ever more seldom when it fails though the region can be reached', async () => {
    const backup = await failed();
    await world.bringBack('IAD');
    await world.pass(14_000);
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeletionFailed');
    await world.pass(2_000);
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeletionRequested');
    await world.takeAway('IAD');
    await world.attempt(backup);
    await world.bringBack('IAD');
    await world.pass(16_000);
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeletionFailed');
    await world.pass(15_000);
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeletionRequested');
  });
});

describe('a deletion where a region has no vault any more', () => {
  it('empties all others, says what to do, is counted, and is taken up when the region is there again, not before', async () => {
    const backup = await world.store({ copies: ['IAD', 'ORD'] });
    await world.askForDeletion(backup);
    expect(await world.attempt(backup, ['DFW', 'IAD'], 0)).toBe('finished');
    expect(await world.heldIn(backup)).toEqual(['ORD']);
    expect(await world.shown(backup)).toMatchObject({
      status: 'DELETE_FAILED',
      fault: { code: 'region-retired', reason: expect.stringMatching(/from ORD; .*ORD.*STRONGROOM_VAULTS/) },
    });
    expect((await world.typesOfCopy(backup, 'ORD')).at(-1)).toBe('CopyDeletionRequested');
    expect(await world.backups.leftBehindIn(['DFW', 'IAD'])).toEqual([{ region: 'ORD', backups: 1 }]);

    await world.lookForStranded('DFW', 'IAD');
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeletionFailed');
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeletionRequested');
    expect(await world.attempt(backup)).toBe('finished');
    expect(await world.heldIn(backup)).toEqual([]);
    expect(await world.backups.leftBehindIn(['DFW', 'IAD'])).toEqual([]);
  });

  it('is taken up though the history of another deleted backup can not be read, which is set aside', async () => {
    const both = [await world.store({ copies: ['ORD'] }), await world.store({ copies: ['ORD'] })];
    for (const backup of both) {
      await world.askForDeletion(backup);
      await world.attempt(backup, ['DFW', 'IAD'], 0);
    }
    // They are taken up in order of id, and the one that can't be read is the first.
    const [unreadable, other] = both.sort((one, another) => one.backupId.localeCompare(another.backupId));
    await addEvent(world.dataSource, `backup-${unreadable?.backupId}`);
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    expect(other && (await world.typesOf(other)).at(-1)).toBe('BackupDeletionRequested');
    const aside = await world.dataSource.query(`select id, reason from set_aside where kind = 'backup'`);
    expect(aside).toEqual([{ id: unreadable?.backupId, reason: expect.stringContaining("can't be read") }]);
    await removeNewest(world.dataSource, `backup-${unreadable?.backupId}`);
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    expect(await world.dataSource.query(`select id from set_aside where kind = 'backup'`)).toEqual([]);
    for (const backup of both) await world.attempt(backup);
  });

  it('and in which nobody ever began a copy has nothing to wait for', async () => {
    const backup = await world.store({ copies: ['IAD'] });
    const request = { copyId: copyId(backup.backupId, 'ORD'), region: 'ORD', sourceRegion: 'DFW', parentId: null };
    const what = { sizeBytes: 301_000, sha256: 'a'.repeat(64) };
    await world.onCopy(backup, 'ORD', { type: 'RequestCopy', request: { ...backup, ...request, ...what } });
    await world.onCopy(backup, 'ORD', { type: 'StrandCopy', reason: 'ORD has no vault any more.' });
    await world.askForDeletion(backup);
    expect(await world.attempt(backup, ['DFW', 'IAD'], 0)).toBe('finished');
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeleted');
    expect((await world.typesOfCopy(backup, 'ORD')).slice(-2)).toEqual(['CopyDeletionRequested', 'CopyDeleted']);
    expect(await world.heldIn(backup)).toEqual([]);
  });

  it('which is where the backup was made', async () => {
    const backup = await world.store({ madeIn: 'ORD', copies: ['IAD'] });
    await world.askForDeletion(backup);
    await world.attempt(backup, ['DFW', 'IAD'], 0);
    expect(await world.heldIn(backup)).toEqual(['ORD']);
    expect(await world.shown(backup)).toMatchObject({ status: 'DELETE_FAILED', fault: { code: 'region-retired' } });
    expect(await world.backups.leftBehindIn(['DFW', 'IAD'])).toEqual([{ region: 'ORD', backups: 1 }]);
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    await world.attempt(backup);
    expect(await world.heldIn(backup)).toEqual([]);
    expect((await world.typesOf(backup)).at(-1)).toBe('BackupDeleted');
  });

  it('takes a chain up as a whole, and only when every region of it is there', async () => {
    const parent = await world.store({ copies: ['IAD'] });
    const { instanceId, backupId: parentId } = parent;
    const child = await world.store({ copies: ['ORD'], parentId, instanceId });
    await world.askForDeletion(parent, child);
    await world.attempt(parent, ['DFW', 'IAD'], 0);
    for (let count = 0; count < 2; count += 1) await world.lookForStranded('DFW', 'IAD');
    expect((await world.typesOf(parent)).at(-1)).toBe('BackupDeletionFailed');
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    await world.attempt(parent);
    for (const each of [parent, child]) expect((await world.typesOf(each)).at(-1)).toBe('BackupDeleted');
  });
});

describe('retention', () => {
  const scheduled = async (retention: number, copyTo: string[]) => {
    const [scheduleId, instanceId] = [world.ids.next(), world.ids.next()];
    await world.schedule(scheduleId, instanceId, retention, copyTo);
    return (fields: { madeIn?: string; copies?: string[] }) =>
      world.store({ scheduleId, instanceId, copyTo, ...fields });
  };

  it('goes on though a region that is owed copies has no vault any more', async () => {
    const store = await scheduled(1, ['IAD', 'ORD']);
    const old = await store({ copies: ['IAD', 'ORD'] });
    const newer = await store({ copies: ['IAD'] });
    await world.retain(newer, 'DFW', 'IAD', 'ORD');
    expect((await world.typesOf(old)).at(-1)).toBe('BackupDeletionPutOff');
    await world.retain(newer, 'DFW', 'IAD');
    expect((await world.typesOf(old)).at(-1)).toBe('BackupDeletionRequested');
  });

  it('does not ask again and again for what a region without a vault keeps', async () => {
    const store = await scheduled(1, ['IAD', 'ORD']);
    const old = await store({ copies: ['IAD', 'ORD'] });
    const newer = await store({ copies: ['IAD'] });
    await world.retain(newer, 'DFW', 'IAD');
    await world.attempt(old, ['DFW', 'IAD'], 0);
    const told = await world.typesOf(old);
    expect(told.at(-1)).toBe('BackupDeletionFailed');
    await world.retain(newer, 'DFW', 'IAD');
    expect(await world.typesOf(old)).toEqual(told);
  });

  it('counts the region where a backup was made as holding it, though the schedule names it', async () => {
    const store = await scheduled(1, ['IAD']);
    const old = await store({ madeIn: 'DFW', copies: ['IAD'] });
    const newer = await store({ madeIn: 'IAD' });
    await world.retain(newer, 'DFW', 'IAD', 'ORD');
    expect((await world.typesOf(old)).at(-1)).toBe('BackupDeletionRequested');
    await world.attempt(old);
    expect(await world.heldIn(old)).toEqual([]);
  });

  it('lets nothing go for a backup that lies only where there is no vault any more', async () => {
    const store = await scheduled(1, []);
    const old = await store({ madeIn: 'IAD' });
    const newer = await store({ madeIn: 'DFW' });
    await world.retain(newer, 'IAD', 'ORD');
    expect((await world.typesOf(old)).at(-1)).toBe('BackupDeletionPutOff');
  });
});

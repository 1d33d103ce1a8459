import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { copyId } from '@strongroom/domain';
import { patienceNow } from '../../../../test/services/patience.js';
import { addEvent } from '../../../../test/services/unreadable-event.js';
import { accountId, CopyingWorld } from '../../fixtures/copying-world.js';

let world: CopyingWorld;
beforeAll(async () => {
  world = await CopyingWorld.create();
});
afterAll(() => world.remove());

const rowOf = async (backupId: string, region: string) => {
  await world.views.catchUp(accountId);
  return (await world.copies.ofBackups([backupId])).get(backupId)?.find((copy) => copy.region === region);
};
const owedIn = async (region: string) => {
  await world.views.catchUp(accountId);
  return (await world.copies.owed()).find((each) => each.region === region);
};

describe('a copy to a region that has no vault any more', () => {
  it('is given up with the reason and what to do, counted, and made when the region is there again', async () => {
    const backup = await world.backUp('DFW');
    await world.requestCopy(backup, 'ORD');
    await world.lookForStranded('DFW', 'IAD');
    expect(await rowOf(backup.backupId, 'ORD')).toMatchObject({
      status: 'FAILED',
      fault: { code: 'region-retired', reason: expect.stringMatching(/ORD.*STRONGROOM_VAULTS/) },
    });
    expect(await owedIn('ORD')).toMatchObject({ copies: 0, stranded: 1, oldestMs: 0 });
    await world.lookForStranded('DFW', 'IAD');
    expect(await world.typesOf(backup, 'ORD')).toEqual(['CopyRequested', 'CopyStranded']);

    await world.lookForStranded('DFW', 'IAD', 'ORD');
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    expect(await world.typesOf(backup, 'ORD')).toEqual(['CopyRequested', 'CopyStranded', 'CopyRequested']);
    expect(await world.attempt(backup, 'ORD')).toBe('finished');
    expect(await world.isWhole(backup, 'ORD')).toBe(true);
    expect(await owedIn('ORD')).toBeUndefined();
  });

  it('is given up though the history of another can not be read, which is set aside', async () => {
    const both = [await world.backUp('DFW'), await world.backUp('DFW')];
    for (const backup of both) await world.requestCopy(backup, 'ORD');
    const [unreadable, other] = both;
    if (!unreadable || !other) throw new Error('no backups');
    const id = copyId(unreadable.backupId, 'ORD');
    await addEvent(world.dataSource, `copy-${id}`, { type: 'CopyStarted' });
    await world.lookForStranded('DFW', 'IAD');
    expect((await world.typesOf(other, 'ORD')).at(-1)).toBe('CopyStranded');
    const aside = await world.dataSource.query(`select id, reason from set_aside where kind = 'copy'`);
    expect(aside).toEqual([{ id, reason: expect.stringContaining("can't be read") }]);
  });

  it('is left to whoever is making it', async () => {
    const backup = await world.backUp('DFW');
    await world.requestCopy(backup, 'ORD');
    await world.jobs.lease('copy', 'ORD', 'another', 10, 60_000);
    await world.lookForStranded('DFW', 'IAD');
    expect(await world.typesOf(backup, 'ORD')).toEqual(['CopyRequested']);
  });

  it('or from one is reported when no other region has the backup, and made when one has it', async () => {
    const backup = await world.backUp('DFW');
    await world.requestCopy(backup, 'ORD');
    expect(await world.attempt(backup, 'ORD', 'IAD', 'ORD')).toBe('finished');
    expect(await rowOf(backup.backupId, 'ORD')).toMatchObject({
      status: 'FAILED',
      fault: { code: 'region-retired', reason: expect.stringContaining('DFW') },
    });
    for (let count = 0; count < 3; count += 1) await world.lookForStranded('IAD', 'ORD');
    expect((await world.typesOf(backup, 'ORD')).at(-1)).toBe('CopyStranded');
    await world.lookForStranded('IAD', 'ORD', 'DFW');
    expect(await world.attempt(backup, 'ORD')).toBe('finished');
    expect(await world.isWhole(backup, 'ORD')).toBe(true);
  });

  it('of a backup that is deleted meanwhile is not asked for again', async () => {
    const backup = await world.backUp('DFW');
    await world.requestCopy(backup, 'ORD');
    await world.lookForStranded('DFW', 'IAD');
    const { backupId, instanceId } = backup;
    await world.onBackup(backupId, instanceId, { type: 'RequestDeletion', backupId, accountId, trigger: 'request' });
    await world.lookForStranded('DFW', 'IAD', 'ORD');
    expect((await world.typesOf(backup, 'ORD')).at(-1)).toBe('CopyStranded');
  });
});

describe('the region where a backup was made', () => {
  it('is owed no copy, though the schedule names it since before it was the home region', async () => {
    const backup = await world.backUp('IAD', { copyTo: ['IAD', 'ORD'] });
    await world.plan(backup);
    expect(await world.typesOf(backup, 'IAD')).toEqual([]);
    expect(await world.eventsOf(backup, 'ORD')).toMatchObject([{ data: { sourceRegion: 'IAD' } }]);
  });
});

it('what a region has lost is queued in its lane, and so is what is to be read back', async () => {
  const backup = await world.backUp('DFW');
  await world.copied(backup, 'IAD');
  await world.dataSource.query('delete from job');
  const id = copyId(backup.backupId, 'IAD');
  await world.onCopy(backup, 'IAD', { type: 'CheckCopy' });
  const [check] = await world.jobs.lease('copy', 'IAD', 'spec', 10, 60_000);
  expect(check).toMatchObject({ id });
  if (check) await world.jobs.finish(check);
  await world.onCopy(backup, 'IAD', { type: 'LoseCopy', code: 'object-missing', reason: 'gone' });
  expect(await world.jobs.lease('copy', 'IAD', 'spec', 10, 60_000)).toMatchObject([{ id }]);
  expect(await rowOf(backup.backupId, 'IAD')).toMatchObject({ status: 'PENDING', location: null });
  expect((await owedIn('IAD'))?.oldestMs).toBeLessThan(60_000 * patienceNow({ measured: true }));
});

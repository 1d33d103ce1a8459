import { expect, it } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { RunnerWorld } from '../../fixtures/runner-world.js';
import { BackupAttempt } from './backup/backup-attempt.js';

it('an attempt that its test has left ends with the world of the test, and does not wait for a database that is gone', async () => {
  const world = await RunnerWorld.create();
  const backupId = await world.request(world.ids.next());
  await world.database.cut();
  const left = expect(
    new BackupAttempt(
      { ...world, vaults: { regions: ['DFW'] } },
      world.job('backup', backupId),
      world.hold(),
    ).perform(),
  ).rejects.toThrow();
  await eventually(() => expect(world.told.join('')).toContain('failed for now'), { withinMs: 30_000 });
  await world.remove();
  await left;
});

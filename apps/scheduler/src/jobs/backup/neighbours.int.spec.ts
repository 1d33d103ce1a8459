import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { EnginesApart } from '@strongroom/engines';
import { CustomerDatabase } from '../../../../../test/customer-database.js';
import { eventually } from '../../../../../test/services/eventually.js';
import { patience } from '../../../../../test/services/patience.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt } from './backup-attempt.js';

const root = join(__dirname, '..', '..', '..', '..', '..');
const memoryBytes = 384 * 1_048_576;
const program = join(root, 'dist', 'libs', 'engines', 'src', 'apart', 'engine-process.js');
const apart = new EnginesApart({ memoryBytes, program: [program] });
/** Processes of an engine that a stranger's bytes have made do this. */
const spoilt = (name: string) =>
  new EnginesApart({
    memoryBytes,
    stuckMs: 3_000,
    program: [join(root, 'scripts', 'run-typescript.cjs'), join(root, 'libs', 'engines', 'fixtures', name)],
  });

describe('a backup whose process is spoilt', () => {
  let customer: CustomerDatabase;
  let world: RunnerWorld;
  beforeAll(async () => {
    customer = await CustomerDatabase.start({ megabytes: 20 });
    world = await RunnerWorld.create();
  }, 120_000);
  afterAll(async () => {
    await world.remove();
    await customer.stop();
  });

  it.each([
    ['loops', 'looping-process.ts', 'engine-process-ended'],
    ['takes memory without end', 'growing-process.ts', 'backup-limit-reached'],
    ['breaks', 'breaking-process.ts', 'engine-process-ended'],
  ])(
    'so that it %s fails alone: the one beside it completes at its first attempt, and this process answers meanwhile',
    async (_, name, code) => {
      const [hostile, innocent] = [await world.register(customer.server), await world.register(customer.server)];
      const [spoiltId, goodId] = [await world.request(hostile), await world.request(innocent)];
      const vaults = { regions: ['DFW'] };
      const taking = (backupId: string, takers: EnginesApart) =>
        new BackupAttempt(
          { ...world, vaults, takerFor: (type) => takers.of(type) },
          world.job('backup', backupId),
          world.hold(),
        ).perform();
      let longestPause = 0;
      let last = performance.now();
      const beat = setInterval(() => {
        longestPause = Math.max(longestPause, performance.now() - last);
        last = performance.now();
      }, 50);
      await Promise.all([taking(spoiltId, spoilt(name)), taking(goodId, apart)]);
      clearInterval(beat);
      const failed = (await world.ledger.readStream(streamOf('backup', spoiltId))).at(-1);
      expect(failed).toMatchObject({ type: 'BackupFailed', data: { code } });
      expect(await world.eventTypesOf(goodId)).toEqual([
        'BackupRequested',
        'BackupStarted',
        'BackupIdentified',
        'BackupCompleted',
      ]);
      // A loop in this process would have lasted until it was found out.
      expect(longestPause).toBeLessThan(3_000 * patience);
      await eventually(async () => expect(await world.placesOf(spoiltId)).toEqual([]), { withinMs: 10_000 });
    },
    180_000,
  );
});

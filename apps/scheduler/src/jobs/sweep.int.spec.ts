import { rename } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { heldVerdicts } from '@strongroom/ledger';
import { FixedClock, Metrics } from '@strongroom/runtime';
import { Sweep, shards } from '@strongroom/vault';
import { CustomerDatabase } from '../../../../test/customer-database.js';
import { EventfulVault } from '../../fixtures/eventful-vault.js';
import { RunnerWorld } from '../../fixtures/runner-world.js';
import { BackupAttempt } from './backup/backup-attempt.js';

const day = 86_400_000;

let customer: CustomerDatabase;
let world: RunnerWorld;
let instanceId: string;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1 });
  world = await RunnerWorld.create();
}, 120_000);
afterAll(async () => {
  await world.remove();
  await customer.stop();
});
beforeEach(async () => {
  instanceId = await world.register(customer.server);
});

const attempt = (backupId: string, vault = world.vault) =>
  new BackupAttempt({ ...world, vault }, world.job('backup', backupId), world.hold()).perform();

/** Sweeps the whole vault as of two days from now. */
async function sweep(): Promise<void> {
  const { ledger, log, vault } = world;
  const parts = {
    ask: (region: string, backupIds: string[]) =>
      heldVerdicts({ ledger, manager: world.dataSource.manager }, region, backupIds),
    clock: new FixedClock(new Date(Date.now() + 2 * day)),
    log,
    metrics: new Metrics(),
    graceMs: day,
    minimumMsOf: () => 0,
  };
  const all = new Sweep(parts);
  for (let round = 0; round < shards; round += 1) await all.pass(vault, round);
}

it('what a late runner left beside a completed backup goes, and the backup stays where the ledger says', async () => {
  const backupId = await world.request(instanceId);
  await attempt(backupId);
  const late = await world.vault.begin(backupId, 1);
  await late.put('base.tar.zst', Readable.from([Buffer.from('half of it')]));
  expect(await world.placesOf(backupId)).toHaveLength(2);
  await sweep();
  expect(await world.placesOf(backupId)).toHaveLength(1);
  const completed = (await world.ledger.readStream(streamOf('backup', backupId))).at(-1);
  const { location, sha256 } = await world.vault.verify(backupId);
  expect(completed).toMatchObject({ type: 'BackupCompleted', data: { location, sha256 } });
  await expect(late.seal(Buffer.from('{}'))).rejects.toMatchObject({ code: 'upload-superseded' });
}, 60_000);

it('what a failed backup left in a vault that was away when it failed goes when the vault is back', async () => {
  const backupId = await world.request(instanceId);
  const upload = await world.vault.begin(backupId, 1);
  await upload.put('base.tar.zst', Readable.from([Buffer.from('half of it')]));
  const awayNow = new EventfulVault(world.vault, () => rename(world.folder, `${world.folder}.away`));
  try {
    await attempt(backupId, awayNow);
  } finally {
    await rename(`${world.folder}.away`, world.folder);
  }
  expect((await world.eventTypesOf(backupId)).at(-1)).toBe('BackupFailed');
  expect(await world.placesOf(backupId)).not.toEqual([]);
  await sweep();
  expect(await world.placesOf(backupId)).toEqual([]);
}, 60_000);

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { PostgresServer } from '@strongroom/server-processes';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { contentOf } from './services/ballast.js';
import { eventually } from './services/eventually.js';
import { type Region, regions } from './vault-folders.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let folder: string;
beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5 });
}, 120_000);
afterAll(() => customer.stop());
beforeEach(async () => {
  strongroom = await Deployment.create();
  folder = await mkdtemp(join(tmpdir(), 'strongroom-scrub-'));
  // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
  await chmod(folder, 0o711);
});
afterEach(async () => {
  await strongroom.remove();
  await rm(folder, { recursive: true, force: true });
});

/** What was lost is brought so slowly that nobody has brought it before it is killed. */
const slowly = {
  STRONGROOM_TRANSFER_LIMITS: regions
    .flatMap((from) => regions.filter((to) => to !== from).map((to) => `${from}:${to}=0.1`))
    .join(','),
};

/** It reads slowly, so it has not read what is whole to its end. */
async function killedWhileItReads(): Promise<void> {
  const slow = { ...slowly, STRONGROOM_SCRUB_DAYS: '0', STRONGROOM_SCRUB_MIB_PER_SECOND: '1' };
  const reading = await strongroom.start('replicator', slow);
  const metric = 'strongroom_scrub_read_bytes_total{region="ORD"}';
  await eventually(async () => expect((await reading.metric(metric)) ?? 0).toBeGreaterThan(0), { withinMs: 60_000 });
  await reading.kill();
}

/** @returns the region to which it was bringing it */
async function killedWhileItHeals(api: AppProcess, backupId: string): Promise<Region> {
  const healing = await strongroom.start('replicator', { ...slowly, STRONGROOM_SCRUB_DAYS: '0' });
  const region = await eventually(
    async () => {
      const { copies } = await strongroom.backup(api, backupId);
      const begun = regions.find((each) =>
        copies.some((copy) => copy.region === each && copy.status === 'COPYING' && copy.progress > 0),
      );
      if (begun === undefined) throw new Error(`nothing is being healed: ${JSON.stringify(copies)}`);
      return begun;
    },
    { withinMs: 60_000 },
  );
  await healing.kill();
  return region;
}

it('a byte that flips in a region is found, told and healed by itself, where the backup was made as well as in a copy, though who reads and who heals is killed, and the server comes back from there', async () => {
  const [api, , replicator] = await strongroom.startAll();
  const instanceId = await strongroom.register(api, customer.server);
  const backupId = await strongroom.backUp(api, instanceId, { copy_to: ['IAD', 'ORD'] });
  const made = await strongroom.untilCopied(api, backupId);
  expect(made).toMatchObject({ whole_in: ['DFW', 'IAD', 'ORD'], verified_by: 'read', verified_at: made.completed });
  const expected = await contentOf(customer.url);

  await replicator.kill();
  await strongroom.vaults.damage(backupId, 'IAD', 'altered');
  await strongroom.vaults.damage(backupId, 'DFW', 'altered');
  await killedWhileItReads();
  const region = await killedWhileItHeals(api, backupId);
  const { whole_in: wholeIn } = await strongroom.backup(api, backupId);
  expect([region, wholeIn.includes(region), wholeIn.includes('ORD')]).toEqual([region, false, true]);
  await expect(strongroom.vaults.proveCopy(backupId, region)).rejects.toThrow();

  await strongroom.start('replicator', { STRONGROOM_SCRUB_DAYS: '0' });
  const healed = await strongroom.until(
    api,
    backupId,
    ({ whole_in, copies }) =>
      whole_in.length === 3 &&
      copies.some(({ region }) => region === 'DFW') &&
      copies.some(({ region, attempt }) => region === 'IAD' && attempt > 1),
  );
  for (const each of regions) await strongroom.vaults.proveCopy(backupId, each);
  // What is whole was never told as lost, and nothing was told twice, though whoever read it was killed. Whoever copies from a region
  // that is altered has it filled again as well, so not each of the two has to be found by the scrub.
  const lost = await strongroom.query("select data->>'region' as region from ledger_event where type = 'CopyLost'");
  const told = lost.map(({ region: each }) => each).sort();
  expect([['DFW'], ['IAD'], ['DFW', 'IAD']]).toContainEqual(told);
  expect(healed.locationRef).not.toBe(made.locationRef);

  const to = join(folder, 'server');
  await strongroom.vaults.restore(backupId, 'IAD', to);
  const { password } = customer;
  const server = await PostgresServer.startOn(to, { password, logFile: join(folder, 'postgres.log') });
  try {
    expect(await contentOf(server.url())).toEqual(expected);
  } finally {
    await server.stop();
  }
}, 480_000);

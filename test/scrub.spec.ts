import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { PostgresServer } from '@strongroom/server-processes';
import pg from 'pg';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';

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

/** How many rows the server has, and a digest of all of them. */
async function contentOf(url: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const counted = 'select count(*)::int as rows, md5(string_agg(filling, id::text order by id)) as digest from ballast';
  try {
    return (await client.query<Record<string, unknown>>(counted)).rows;
  } finally {
    await client.end();
  }
}

it('a byte that flips in a region is found, told and healed by itself, where the backup was made as well as in a copy, and the server comes back from there', async () => {
  const [api, , replicator] = await strongroom.startAll();
  const instanceId = await strongroom.register(api, customer.server);
  const backupId = await strongroom.backUp(api, instanceId, { copy_to: ['IAD', 'ORD'] });
  const made = await strongroom.untilCopied(api, backupId);
  expect(made).toMatchObject({ whole_in: ['DFW', 'IAD', 'ORD'], verified_by: 'read', verified_at: made.completed });
  const expected = await contentOf(customer.url);

  await replicator.kill();
  await strongroom.vaults.damage(backupId, 'IAD', 'altered');
  await strongroom.vaults.damage(backupId, 'DFW', 'altered');
  const scrubbing = await strongroom.start('replicator', { STRONGROOM_SCRUB_DAYS: '0' });
  const healed = await strongroom.until(
    api,
    backupId,
    ({ whole_in, copies }) =>
      whole_in.length === 3 &&
      copies.some(({ region }) => region === 'DFW') &&
      copies.some(({ region, attempt }) => region === 'IAD' && attempt > 1),
  );
  // What is copied anew is read where it comes from as well: whoever reads an altered backup first tells it.
  let losses = 0;
  for (const region of ['DFW', 'IAD'] as const) {
    const metric = `strongroom_scrub_losses_total{region="${region}",code="object-altered"}`;
    losses += (await scrubbing.metric(metric)) ?? 0;
    await strongroom.vaults.proveCopy(backupId, region);
  }
  expect(losses).toBeGreaterThan(0);
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
}, 240_000);

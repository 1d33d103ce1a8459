/** A deployment whose ledger is lost, and a new one that has the vaults of the lost one and nothing else. */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { PostgresServer } from '@strongroom/server-processes';
import { z } from 'zod';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { contentOf } from './services/ballast.js';
import { eventually } from './services/eventually.js';
import { verifiedByPostgres } from './services/postgres-tools.js';
import { type Ran, runStrongroom } from './services/run-strongroom.js';
import { describeWithVersity, type S3Server } from './services/s3-servers.js';
import { urlOfService } from './services/service-roles.js';
import { regions } from './vault-folders.js';

const result = z.object({ backups: z.int(), copies: z.int(), versions: z.int(), known: z.int() });

let customer: CustomerDatabase;
let folder: string;
let lost: Deployment;
let anew: Deployment | undefined;
beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5, settings: { summarize_wal: 'on' } });
}, 120_000);
afterAll(() => customer.stop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-catalog-'));
  // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
  await chmod(folder, 0o711);
});
afterEach(async () => {
  await anew?.remove();
  anew = undefined;
  await lost.remove();
  await rm(folder, { recursive: true, force: true });
});

const run = (args: readonly string[], env: Record<string, string> = {}): Promise<Ran> =>
  runStrongroom(args, env, folder);

/** A key in a file of its own. @returns who is encrypted for, and the key */
async function newKey(file: string): Promise<{ recipient: string; key: string }> {
  const { stdout } = await run(['keys', 'new', file]);
  return { recipient: stdout.trim(), key: await readFile(join(folder, file), 'utf8') };
}

/** What the command of an operator of the new deployment records of a vault. */
async function catalog(vaults: string, region: string, ...more: string[]) {
  const env = {
    STRONGROOM_DATABASE_URL: urlOfService(anew?.databaseUrl ?? '', 'scheduler'),
    STRONGROOM_VAULTS: vaults,
  };
  const { code, stdout, output } = await run(['catalog', 'rebuild', '--from', region, '--json', ...more], env);
  if (stdout === '') throw new Error(output);
  return { code, ...result.parse(JSON.parse(stdout)) };
}

const inRegions = (deployment: Deployment, api: AppProcess, id: string, ...whole: string[]) =>
  deployment.until(api, id, ({ whole_in: found }) => whole.every((each) => found.some((one) => one === each)));

it('what a lost ledger knew is there again in a new one that has its vaults, and is restored, copied, scrubbed and deleted there', async () => {
  const [owner, chain] = [await newKey('owner.txt'), await newKey('chain.txt')];
  lost = await Deployment.create();
  const [first] = await Promise.all([lost.start('api'), lost.start('replicator')]);
  const encrypting = await lost.start('scheduler', {
    STRONGROOM_RECIPIENTS: JSON.stringify({ default: [{ key: owner.recipient, name: 'office safe' }] }),
    STRONGROOM_CHAIN_KEY: chain.key,
  });
  const orders = await lost.register(first, customer.server);
  const full = await lost.backUp(first, orders, { copy_to: ['IAD'] });
  await inRegions(lost, first, full, 'DFW', 'IAD');
  await customer.query("update ballast set filling = 'changed' where id <= 100");
  const child = await lost.backUp(first, orders, { parent_id: full, copy_to: ['IAD'] });
  expect(await inRegions(lost, first, child, 'DFW', 'IAD')).toMatchObject({ type: 'incremental' });
  await encrypting.kill();
  await lost.start('scheduler');
  const bills = await lost.register(first, customer.server);
  const clear = await lost.backUp(first, bills, { copy_to: ['IAD'] });
  const before = await inRegions(lost, first, clear, 'DFW', 'IAD');
  const expected = await contentOf(customer.url);
  await customer.query("update ballast set filling = 'later' where id = 1");
  await lost.stopAll();

  const vaults = lost.vaults.urls;
  anew = await Deployment.create({ env: { STRONGROOM_VAULTS: vaults } });
  const [api, , replicator] = await anew.startAll();
  expect(await anew.backups(api)).toEqual([]);
  expect(await catalog(vaults, 'DFW')).toEqual({ code: 0, backups: 3, copies: 0, versions: 0, known: 0 });
  expect(await catalog(vaults, 'IAD')).toEqual({ code: 0, backups: 0, copies: 3, versions: 0, known: 0 });
  const identity = ['--identity', 'owner.txt'];
  expect(await catalog(vaults, 'DFW', ...identity)).toEqual({ code: 0, backups: 0, copies: 0, versions: 2, known: 1 });
  const shown = new Map((await anew.backups(api)).map((backup) => [backup.id, backup]));
  expect([...shown.keys()].sort()).toEqual([full, child, clear].sort());
  for (const backup of shown.values())
    expect(backup).toMatchObject({
      status: 'COMPLETED',
      whole_in: ['DFW', 'IAD'],
      datastore: { version: before.datastore.version },
    });
  expect(shown.get(child)).toMatchObject({ type: 'incremental', parent_id: full, encrypted_for: ['office safe'] });
  const { checksum, size_bytes, locationRef } = before;
  expect(shown.get(clear)).toMatchObject({
    ...{ instance_id: bills, checksum, size_bytes, locationRef, encrypted_for: null },
    full_because: { ground: 'catalogued' },
  });

  const restored = join(folder, 'server');
  const from = ['--from', 'IAD', ...identity];
  expect((await run(['restore', child, ...from, '--to', restored], { STRONGROOM_VAULTS: vaults })).code).toBe(0);
  await verifiedByPostgres(restored);
  const { password } = customer;
  const server = await PostgresServer.startOn(restored, { password, logFile: join(folder, 'postgres.log') });
  try {
    expect(await contentOf(server.url())).toEqual(expected);
  } finally {
    await server.stop();
  }

  await anew.client(api).backups.copy(clear, 'ORD');
  await inRegions(anew, api, clear, 'ORD');
  await anew.client(api).backups.copy(clear, 'IAD');
  await eventually(
    async () => {
      const checked = "select data->>'region' as region from ledger_event where type = 'CopyChecked'";
      expect(await anew?.query(checked)).toEqual([{ region: 'IAD' }]);
    },
    { withinMs: 60_000 },
  );
  await lost.vaults.damage(clear, 'IAD', 'altered');
  await replicator.kill();
  await anew.start('replicator', { STRONGROOM_SCRUB_DAYS: '0' });
  const healed = await anew.until(api, clear, ({ copies }) =>
    copies.some(({ region, attempt, state }) => region === 'IAD' && attempt > 1 && state === 'WHOLE'),
  );
  expect(healed.whole_in).toEqual(['DFW', 'IAD', 'ORD']);
  for (const region of regions) await lost.vaults.proveCopy(clear, region);
  expect(await anew.query("select data->>'region' as region from ledger_event where type = 'CopyLost'")).toEqual([
    { region: 'IAD' },
  ]);

  await anew.client(api).backups.delete(full);
  await eventually(
    async () => {
      for (const id of [full, child]) expect(await lost.vaults.holding(id)).toEqual([]);
      expect(await anew?.eventTypesOf(full)).toContain('BackupDeleted');
    },
    { withinMs: 60_000 },
  );
  for (const region of regions)
    expect(await catalog(vaults, region)).toEqual({ code: 0, backups: 0, copies: 0, versions: 0, known: 1 });
  expect((await anew.backups(api)).map(({ id }) => id)).toEqual([clear]);
}, 300_000);

describeWithVersity('regions that are buckets', (startS3) => {
  let s3: S3Server;
  beforeAll(async () => {
    s3 = await startS3();
  }, 240_000);
  afterAll(() => s3?.stop());

  it('tell a new ledger what they hold, too', async () => {
    const inBucket = async (region: string) =>
      `${region}=${s3.vaultUrl(`${await s3.bucket()}/${region.toLowerCase()}`).href}`;
    const vaults = (await Promise.all(regions.map(inBucket))).join(',');
    const env = { STRONGROOM_VAULTS: vaults };
    lost = await Deployment.create({ env });
    const [first] = await lost.startAll();
    const id = await lost.backUp(first, await lost.register(first, customer.server), { copy_to: ['IAD'] });
    const { checksum, datastore } = await inRegions(lost, first, id, 'DFW', 'IAD');
    await lost.stopAll();
    anew = await Deployment.create({ env });
    const [api] = await anew.startAll();
    expect(await catalog(vaults, 'IAD')).toMatchObject({ code: 0, backups: 1, copies: 0 });
    expect(await catalog(vaults, 'DFW')).toMatchObject({ code: 0, backups: 0, copies: 1 });
    expect(await anew.backup(api, id)).toMatchObject({ checksum, whole_in: ['DFW', 'IAD'], datastore });
    const verified = await run(['verify', id, '--from', 'IAD'], env);
    expect(verified).toMatchObject({ code: 0, output: expect.stringContaining('is whole') });
    await anew.client(api).backups.delete(id);
    await eventually(async () => expect(await anew?.eventTypesOf(id)).toContain('BackupDeleted'), { withinMs: 60_000 });
  }, 240_000);
});

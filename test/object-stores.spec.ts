import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { PostgresServer } from '@strongroom/server-processes';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { contentOf } from './services/ballast.js';
import { verifiedByPostgres } from './services/postgres-tools.js';
import { describeWithVersity, type S3Server } from './services/s3-servers.js';

const run = promisify(execFile);
const commandLine = join(__dirname, '..', 'dist', 'apps', 'cli', 'src', 'main.js');

describeWithVersity('regions that are buckets', (startS3) => {
  let s3: S3Server;
  let customer: CustomerDatabase;
  let strongroom: Deployment;
  let folder: string;

  beforeAll(async () => {
    [s3, customer] = await Promise.all([
      startS3(),
      CustomerDatabase.start({ megabytes: 40, settings: { summarize_wal: 'on' } }),
    ]);
  }, 240_000);
  afterAll(async () => {
    await customer?.stop();
    await s3?.stop();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-buckets-'));
    // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
    await chmod(folder, 0o711);
  });
  afterEach(async () => {
    await strongroom.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const inBucket = async (region: string) =>
    `${region}=${s3.vaultUrl(`${await s3.bucket()}/${region.toLowerCase()}`).href}`;

  const inFolder = async (region: string) => {
    await mkdir(join(folder, region));
    return `${region}=${pathToFileURL(join(folder, region)).href}`;
  };

  /** Backs the server up in full and by its changes, ends every service, and starts what the vault of a region holds. */
  async function comesBackFrom(vaults: string, region: string): Promise<void> {
    const env = { STRONGROOM_VAULTS: vaults };
    strongroom = await Deployment.create({ env });
    const [api] = await strongroom.startAll();
    const instanceId = await strongroom.register(api, customer.server);
    const full = await strongroom.backUp(api, instanceId, { copy_to: ['IAD', 'ORD'] });
    await strongroom.untilCopied(api, full);
    await customer.query("update ballast set filling = repeat('changed', 100) where id % 100 = 7");
    const child = await strongroom.backUp(api, instanceId, { parent_id: full, copy_to: ['IAD', 'ORD'] });
    await strongroom.untilCopied(api, child);
    const expected = await contentOf(customer.url);
    await customer.query("update ballast set filling = 'later' where id = 1");
    await strongroom.stopAll();

    const to = join(folder, 'server');
    const options = ['--from', region, '--vault', String(vaults.split(',').find((each) => each.startsWith(region)))];
    const verified = await run(process.execPath, [commandLine, 'verify', child, ...options]);
    expect(verified.stdout).toContain('are whole');
    await run(process.execPath, [commandLine, 'restore', child, ...options, '--to', to]);
    await verifiedByPostgres(to);
    const { password } = customer;
    const server = await PostgresServer.startOn(to, { password, logFile: join(folder, 'postgres.log') });
    try {
      expect(await contentOf(server.url())).toEqual(expected);
    } finally {
      await server.stop();
    }
  }

  it.each([
    { what: 'hold backups and their copies', buckets: ['DFW', 'IAD', 'ORD'], from: 'ORD' },
    { what: 'take copies of what lies in a folder', buckets: ['IAD'], from: 'IAD' },
    { what: 'give copies to a folder', buckets: ['DFW'], from: 'IAD' },
  ])(
    '$what, from which the server comes back with every service down',
    async ({ buckets, from }) => {
      const vaults = ['DFW', 'IAD', 'ORD'].map((each) => (buckets.includes(each) ? inBucket(each) : inFolder(each)));
      await comesBackFrom((await Promise.all(vaults)).join(','), from);
    },
    240_000,
  );
});

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresServer } from '@strongroom/server-processes';
import pg from 'pg';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { verifiedByPostgres } from './services/postgres-tools.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let folder: string;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 30 });
  strongroom = await Deployment.create();
  folder = await mkdtemp(join(tmpdir(), 'strongroom-restore-'));
  await chmod(folder, 0o711);
}, 120_000);
afterAll(async () => {
  await strongroom.remove();
  await customer.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Every table of the public schema, with its number of rows and a digest of their content. */
async function contentOf(url: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'public' order by 1",
    );
    const content: unknown[] = [];
    for (const { name } of rows) {
      const digest = await client.query(
        `select count(*)::int as rows, md5(string_agg(md5(t::text), '' order by md5(t::text))) as digest from ${name} t`,
      );
      content.push({ name, ...digest.rows[0] });
    }
    return content;
  } finally {
    await client.end();
  }
}

describe('a schedule', () => {
  it('ends in copies in two regions, from either of which the server comes back with every service down', async () => {
    await customer.query(
      'create table account (id integer primary key, owner text not null, balance numeric not null)',
    );
    await customer.query("insert into account select n, 'owner ' || n, n * 1.5 from generate_series(1, 10000) n");
    await customer.query('create index account_by_owner on account (owner)');
    const processes = await strongroom.startAll();
    const [api] = processes;
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const backupId = await strongroom.runNow(api, scheduleId);
    const { copies, checksum } = await strongroom.untilCopied(api, backupId);
    expect(copies.map(({ region }) => region)).toEqual(['IAD', 'ORD']);
    expect(checksum).toMatch(/^[0-9a-f]{64}$/);
    const expected = await contentOf(customer.url);
    expect(expected).toHaveLength(2);

    // The server changes after the backup, and then the whole of Strongroom is gone.
    await customer.query('delete from account where id > 10');
    await Promise.all(processes.map((each) => each.kill()));
    await strongroom.vaults.lose('DFW');

    const restored = join(folder, 'server');
    await strongroom.vaults.restore(backupId, 'ORD', restored);
    await verifiedByPostgres(restored);
    const server = await PostgresServer.startOn(restored, {
      password: customer.password,
      logFile: join(folder, 'postgres.log'),
    });
    try {
      expect(await contentOf(server.url())).toEqual(expected);
    } finally {
      await server.stop();
    }
  }, 180_000);
});

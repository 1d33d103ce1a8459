import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { z } from 'zod';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';
import { feedForTests } from './services/feed.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let folder: string;
let api: AppProcess;
let scheduler: AppProcess;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5, settings: { summarize_wal: 'on' } });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-instances-'));
  // Where this is root, PostgreSQL runs as another user, who must be able to pass through.
  await chmod(folder, 0o711);
  strongroom = await Deployment.create({ feed: feedForTests(), env: { STRONGROOM_INSTANCES_DIR: folder } });
  [api, scheduler] = await strongroom.startAll();
});
afterEach(async () => {
  await scheduler.stop();
  await strongroom.remove();
  await rm(folder, { recursive: true, force: true });
});

const instance = z.object({
  instance: z.looseObject({
    id: z.string(),
    status: z.string(),
    port: z.int().nullable(),
    fault: z.looseObject({ code: z.string() }).nullable(),
  }),
});
const restore = async (backupId: string) =>
  instance.parse(
    (
      await strongroom.call(api, 'POST', '/instances', {
        instance: { name: 'restored', restorePoint: { backupRef: backupId }, flavorRef: '1', volume: { size: 1 } },
      })
    ).body,
  ).instance;
const until = (id: string, status: string) =>
  eventually(
    async () => {
      const shown = instance.parse((await strongroom.call(api, 'GET', `/instances/${id}`)).body).instance;
      if (shown.status !== status) throw new Error(`the instance is ${JSON.stringify(shown)}`);
      return shown;
    },
    { withinMs: 60_000 },
  );
async function killServer(id: string): Promise<void> {
  const [pid] = (await readFile(join(folder, id, 'postmaster.pid'), 'utf8')).split('\n');
  process.kill(Number(pid), 'SIGKILL');
}
async function rows(port: number | null): Promise<unknown> {
  const connection = {
    host: '127.0.0.1',
    port: port ?? 0,
    user: 'postgres',
    password: customer.password,
    database: 'postgres',
  };
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return (
      await client.query(
        "select count(*)::int as count, count(*) filter (where filling = 'new')::int as new from ballast",
      )
    ).rows[0];
  } finally {
    await client.end();
  }
}

describe('an instance that is built from a backup', () => {
  it('is made of any member of a chain, from a region where the home vault has lost it, and runs whatever happens', async () => {
    const source = await strongroom.register(api, customer.server);
    const full = await strongroom.backUp(api, source, { copy_to: ['IAD', 'ORD'] });
    await strongroom.untilCopied(api, full);
    await customer.query("update ballast set filling = 'new' where id <= 10");
    const child = await strongroom.backUp(api, source, { parent_id: full, copy_to: ['IAD', 'ORD'] });
    await strongroom.untilCopied(api, child);
    await strongroom.vaults.takeAway('DFW');

    const asked = await restore(child);
    expect(asked).toMatchObject({ status: 'BUILD', port: null });
    expect((await strongroom.call(api, 'DELETE', `/instances/${asked.id}`)).status).toBe(422);
    const built = await until(asked.id, 'ACTIVE');
    expect(await rows(built.port)).toEqual({ count: 5_000, new: 10 });

    await scheduler.kill();
    scheduler = await strongroom.start('scheduler');
    await eventually(async () => expect(await rows(built.port)).toEqual({ count: 5_000, new: 10 }), {
      withinMs: 60_000,
    });

    await killServer(asked.id);
    await eventually(async () => expect(await rows(built.port)).toEqual({ count: 5_000, new: 10 }), {
      withinMs: 30_000,
    });

    await strongroom.vaults.bringBack('DFW');
    const ofBuilt = await strongroom.backUp(api, asked.id);
    await strongroom.until(api, ofBuilt, ({ status }) => status === 'COMPLETED');

    // Also one that cannot come up any more can be forgotten.
    await rm(join(folder, asked.id, 'global', 'pg_control'));
    await killServer(asked.id);
    expect((await strongroom.call(api, 'DELETE', `/instances/${asked.id}`)).status).toBe(202);
    await eventually(async () => expect(await readdir(folder)).not.toContain(asked.id), { withinMs: 60_000 });
    await eventually(() => expect(rows(built.port)).rejects.toThrow('ECONNREFUSED'), { withinMs: 30_000 });
  }, 240_000);

  it('that cannot be built ends in ERROR with its reason', async () => {
    const source = await strongroom.register(api, customer.server);
    const backup = await strongroom.backUp(api, source);
    await strongroom.until(api, backup, ({ status }) => status === 'COMPLETED');
    await strongroom.vaults.damage(backup, 'DFW', 'altered');
    const { id } = await restore(backup);
    const failed = await until(id, 'ERROR');
    expect(failed).toMatchObject({
      fault: { code: expect.stringMatching(/altered|invalid|missing/) },
    });
    expect((await strongroom.call(api, 'DELETE', `/instances/${id}`)).status).toBe(202);
  }, 120_000);
});

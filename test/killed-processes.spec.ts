import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase, chainMarker } from './customer-database.js';
import { Deployment } from './deployment.js';
import { builtServersIn } from './services/built-servers.js';
import { eventually } from './services/eventually.js';

let customer: CustomerDatabase;
let strongroom: Deployment;

beforeAll(async () => {
  // A backup of so much takes seconds, so that it can be killed in the middle.
  customer = await CustomerDatabase.start({ megabytes: 300, settings: { summarize_wal: 'on' } });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  strongroom = await Deployment.create();
});
afterEach(() => strongroom.remove());

describe('a process that is killed', () => {
  it('mid-backup leaves no half backup: another scheduler makes it whole, once', async () => {
    const [api, scheduler] = await strongroom.startAll();
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const backupId = await strongroom.runNow(api, scheduleId);
    await eventually(async () => expect(await strongroom.vaults.leftovers('DFW')).toHaveLength(1), {
      withinMs: 30_000,
      isBrief: true,
    });
    await scheduler.kill();
    expect((await strongroom.backup(api, backupId)).status).toBe('BUILDING');

    await strongroom.start('scheduler');
    await strongroom.untilCopied(api, backupId);
    expect(await strongroom.backups(api)).toHaveLength(1);
    expect(await strongroom.vaults.leftovers('DFW')).toEqual([]);
    await strongroom.vaults.proveCopy(backupId, 'IAD');
    expect(await customer.chainMarkers()).toContain(chainMarker(backupId));
  }, 120_000);

  it('mid-copy leaves no half copy: another replicator makes it whole', async () => {
    const [api, , replicator] = await strongroom.startAll();
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const backupId = await strongroom.runNow(api, scheduleId);
    await eventually(
      async () =>
        expect(
          (await strongroom.vaults.leftovers('IAD')).length + (await strongroom.vaults.leftovers('ORD')).length,
        ).toBeGreaterThan(0),
      { withinMs: 60_000, isBrief: true },
    );
    await replicator.kill();
    const { copies } = await strongroom.backup(api, backupId);
    expect(copies.map(({ status }) => status)).toContain('COPYING');

    await strongroom.start('replicator');
    await strongroom.untilCopied(api, backupId);
    for (const region of ['IAD', 'ORD'] as const) {
      expect(await strongroom.vaults.leftovers(region)).toEqual([]);
      await strongroom.vaults.proveCopy(backupId, region);
    }
  }, 120_000);

  it('right after its 202 loses nothing: what the API accepted is there and is done', async () => {
    const [api] = await strongroom.startAll();
    const instanceId = await strongroom.register(api, customer.server);
    const scheduleId = await strongroom.schedule(api, instanceId);
    await strongroom.client(api).schedules.runNow(scheduleId);
    await api.kill();

    const another = await strongroom.start('api');
    const [backup, ...more] = await strongroom.backups(another);
    expect(more).toEqual([]);
    await strongroom.untilCopied(another, backup?.id ?? '');
  }, 120_000);

  it('or only frozen: a runner that wakes up after its lease has passed on changes nothing', async () => {
    const [api, scheduler] = await strongroom.startAll();
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const backupId = await strongroom.runNow(api, scheduleId);
    await eventually(async () => expect(await strongroom.vaults.leftovers('DFW')).toHaveLength(1), {
      withinMs: 30_000,
      isBrief: true,
    });
    scheduler.pause();
    await strongroom.start('scheduler');
    const done = await strongroom.untilCopied(api, backupId);
    scheduler.resume();
    await scheduler.stop();
    expect(await strongroom.backup(api, backupId)).toEqual(done);
    expect(await strongroom.vaults.leftovers('DFW')).toEqual([]);
    await strongroom.vaults.proveCopy(backupId, 'ORD');
    // The next incremental is built on this: the runner that came too late has not dropped it.
    expect(await customer.chainMarkers()).toContain(chainMarker(backupId));
  }, 120_000);

  it('or only frozen while it builds a server: one that wakes up touches nothing of the server that was built meanwhile', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-frozen-'));
    // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
    await chmod(folder, 0o711);
    const env = builtServersIn(folder);
    const api = await strongroom.start('api', env);
    const frozen = await strongroom.start('scheduler', env);
    let other: AppProcess | undefined;
    try {
      const backupId = await strongroom.backUp(api, await strongroom.register(api, customer.server));
      await strongroom.until(api, backupId, ({ status }) => status === 'COMPLETED');
      const id = await strongroom.restore(api, backupId);
      await eventually(async () => expect(await readdir(join(folder, `${id}.1`, 'data', 'base'))).not.toHaveLength(0), {
        withinMs: 30_000,
        isBrief: true,
      });
      frozen.pause();
      other = await strongroom.start('scheduler', env);
      const { port } = await strongroom.untilInstance(api, id, 'ACTIVE');
      const built = new pg.Client({
        host: '127.0.0.1',
        port: port ?? 0,
        user: 'postgres',
        password: customer.password,
        database: 'postgres',
      });
      await built.connect();
      try {
        await built.query("create table note as select 'kept' as text");
        frozen.resume();
        await frozen.stop();
        expect((await built.query('select count(*)::int as count from ballast')).rows).toEqual([{ count: 300_000 }]);
        await built.query('checkpoint');
        expect((await built.query('select text from note')).rows).toEqual([{ text: 'kept' }]);
      } finally {
        await built.end();
      }
      expect((await readdir(folder)).filter((name) => !name.startsWith('.')).sort()).toEqual([id, `${id}.log`]);
      await strongroom.untilInstance(api, id, 'ACTIVE');
    } finally {
      await other?.stop();
      await frozen.kill();
      await rm(folder, { recursive: true, force: true });
    }
  }, 180_000);
});

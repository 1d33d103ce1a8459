import { appendFile, chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { z } from 'zod';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { builtServersIn } from './services/built-servers.js';
import { eventually } from './services/eventually.js';
import { kmsProgram } from './services/kms-program.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let folder: string;
let keysFolder: string;
let api: AppProcess;
let scheduler: AppProcess;
let environment: Record<string, string>;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5, settings: { summarize_wal: 'on' } });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-instances-'));
  keysFolder = await mkdtemp(join(tmpdir(), 'strongroom-keys-'));
  // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
  await chmod(folder, 0o711);
  environment = builtServersIn(folder);
  strongroom = await Deployment.create({ env: environment });
  [api, scheduler] = await strongroom.startAll();
});
afterEach(async () => {
  await scheduler.stop();
  await strongroom.remove();
  for (const each of [folder, keysFolder]) await rm(each, { recursive: true, force: true });
});

const restore = (backupId: string) => strongroom.restore(api, backupId);
const until = (id: string, status: string) => strongroom.untilInstance(api, id, status);
async function killServer(id: string): Promise<void> {
  const [pid] = (await readFile(join(folder, id, 'data', 'postmaster.pid'), 'utf8')).split('\n');
  process.kill(Number(pid), 'SIGKILL');
}
/** The server has the user that is its own, where the tests run as root. */
async function hasOwnUser(id: string): Promise<void> {
  const users = environment.STRONGROOM_BUILT_SERVERS_UIDS;
  if (users === undefined) return;
  const [pid] = (await readFile(join(folder, id, 'data', 'postmaster.pid'), 'utf8')).split('\n');
  const { uid } = await stat(`/proc/${pid}`);
  const [first = 0, last = 0] = users.split('-').map(Number);
  expect([users, uid >= first && uid <= last]).toEqual([users, true]);
}
async function query(port: number | null, sql: string, { password } = customer): Promise<unknown[]> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: port ?? 0,
    user: 'postgres',
    password,
    database: 'postgres',
  });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
async function rows(port: number | null): Promise<unknown> {
  const counts = "count(*)::int as count, count(*) filter (where filling = 'new')::int as new";
  return (await query(port, `select ${counts} from ballast`))[0];
}

describe('an instance that is built from a backup', () => {
  it('is made of any member of an encrypted chain, where its key is, from a region where the home vault has lost it, and runs whatever happens', async () => {
    // The stack's own tests have keys of age.
    const kms = kmsProgram(keysFolder);
    const key = `command:${kms} backups`;
    const encrypted = {
      STRONGROOM_ENCRYPTION: 'aes-gcm',
      STRONGROOM_RECIPIENTS: JSON.stringify({ default: [{ key, name: 'office safe' }] }),
      STRONGROOM_CHAIN_KEY: `command:${kms} chains`,
    };
    await scheduler.stop();
    scheduler = await strongroom.start('scheduler', encrypted);
    const source = await strongroom.register(api, customer.server);
    const full = await strongroom.backUp(api, source, { copy_to: ['IAD', 'ORD'] });
    await strongroom.untilCopied(api, full);
    await customer.query("update ballast set filling = 'new' where id <= 10");
    const child = await strongroom.backUp(api, source, { parent_id: full, copy_to: ['IAD', 'ORD'] });
    expect(await strongroom.untilCopied(api, child)).toMatchObject({
      type: 'incremental',
      encrypted_for: ['office safe'],
    });
    await strongroom.vaults.takeAway('DFW');

    const locked = await restore(child);
    expect(await until(locked, 'ERROR')).toMatchObject({
      fault: {
        code: 'key-missing',
        message: expect.stringContaining('opens with the key of office safe (command:backups)'),
      },
    });
    await strongroom.client(api).instances.delete(locked);
    const withKey = { ...encrypted, STRONGROOM_RESTORE_KEY: key };
    await scheduler.stop();
    scheduler = await strongroom.start('scheduler', withKey);

    const id = await restore(child);
    expect(await until(id, 'BUILD')).toMatchObject({ port: null });
    await expect(strongroom.client(api).instances.delete(id)).rejects.toMatchObject({ status: 422 });
    const built = await until(id, 'ACTIVE');
    expect(await rows(built.port)).toEqual({ count: 5_000, new: 10 });
    await hasOwnUser(id);

    await scheduler.kill();
    scheduler = await strongroom.start('scheduler', withKey);
    await eventually(async () => expect(await rows(built.port)).toEqual({ count: 5_000, new: 10 }), {
      withinMs: 60_000,
    });

    await killServer(id);
    await eventually(async () => expect(await rows(built.port)).toEqual({ count: 5_000, new: 10 }), {
      withinMs: 30_000,
    });

    await strongroom.vaults.bringBack('DFW');
    const ofBuilt = await strongroom.backUp(api, id);
    await strongroom.until(api, ofBuilt, ({ status }) => status === 'COMPLETED');

    // An instance that can no longer come up can be forgotten too.
    await rm(join(folder, id, 'data', 'global', 'pg_control'));
    await killServer(id);
    await strongroom.client(api).instances.delete(id);
    await eventually(async () => expect(await readdir(folder)).not.toContain(id), { withinMs: 60_000 });
    await eventually(() => expect(rows(built.port)).rejects.toThrow('ECONNREFUSED'), { withinMs: 30_000 });
  }, 240_000);

  it('is never replaced by an empty one where its data are not, and goes on with them when they are back', async () => {
    const source = await strongroom.register(api, customer.server);
    const backup = await strongroom.backUp(api, source);
    await strongroom.until(api, backup, ({ status }) => status === 'COMPLETED');
    const id = await restore(backup);
    const { port } = await until(id, 'ACTIVE');
    await query(port, "update ballast set filling = 'new' where id = 1");
    const count = await rows(port);

    await scheduler.stop();
    await rename(join(folder, id), `${folder}.away`);
    scheduler = await strongroom.start('scheduler');
    await eventually(
      async () =>
        expect(await readFile(strongroom.logFile('scheduler'), 'utf8')).toContain(`instance ${id} has no data`),
      { withinMs: 30_000 },
    );
    await expect(rows(port)).rejects.toThrow('ECONNREFUSED');
    expect(await readdir(folder)).not.toContain(id);

    await rename(`${folder}.away`, join(folder, id));
    await eventually(async () => expect(await rows(port)).toEqual(count), { withinMs: 60_000 });
  }, 180_000);

  it('stays built, with its data, though the database of Strongroom is away when that is to be recorded', async () => {
    const backup = await strongroom.backUp(api, await strongroom.register(api, customer.server));
    await strongroom.until(api, backup, ({ status }) => status === 'COMPLETED');
    const id = await restore(backup);
    await eventually(async () => expect(await readdir(folder)).toContain(id), { withinMs: 60_000 });
    const { ino } = await stat(join(folder, id, 'data'));
    await strongroom.cutDatabase();
    try {
      await eventually(
        async () =>
          // The database is missed when the job goes to the lane of its host, or when the end of the build is recorded.
          expect(await readFile(strongroom.logFile('scheduler'), 'utf8')).toMatch(
            new RegExp(
              `for the server of instance ${id} failed for now|"job":"${id}".*instance is left|instance jobs to host-\\S+ failed`,
            ),
          ),
        { withinMs: 60_000 },
      );
    } finally {
      await strongroom.restoreDatabase();
    }
    const { port } = await until(id, 'ACTIVE');
    await eventually(async () => expect(await rows(port)).toMatchObject({ count: 5_000 }), { withinMs: 30_000 });
    expect((await stat(join(folder, id, 'data'))).ino).toBe(ino);
  }, 180_000);

  it('acts on none of the other systems that its source did, and is within reach of the roles of its source', async () => {
    const plain = await CustomerDatabase.start({ megabytes: 1 });
    try {
      const conninfo = 'host=127.0.0.1 port=1 dbname=postgres';
      await plain.query(
        `create subscription news connection '${conninfo}' publication news with (connect = false, slot_name = 'news')`,
      );
      await plain.query('alter subscription news enable');
      const [shown] = await plain.query('show data_directory');
      const directory = z.object({ data_directory: z.string() }).parse(shown).data_directory;
      // The server was started without these files, so it goes on as if they were not there.
      await writeFile(join(directory, 'standby.signal'), '');
      await writeFile(join(directory, 'pg_hba.conf'), 'hostssl all all all scram-sha-256\n');
      await appendFile(
        join(directory, 'postgresql.conf'),
        `data_directory = '/var/lib/elsewhere'
hba_file = '/etc/elsewhere/pg_hba.conf'
ident_file = '/etc/elsewhere/pg_ident.conf'
external_pid_file = '/run/elsewhere/pid'
primary_conninfo = '${conninfo}'
synchronous_standby_names = 'elsewhere'
shared_preload_libraries = 'not_here'
session_preload_libraries = 'not_here'
archive_mode = on
archive_command = 'false'
logging_collector = on
log_directory = '/var/log/elsewhere'
ssl = on
`,
      );
      const backup = await strongroom.backUp(api, await strongroom.register(api, plain.server));
      await strongroom.until(api, backup, ({ status }) => status === 'COMPLETED');
      const id = await restore(backup);
      const { port } = await until(id, 'ACTIVE');
      await query(port, 'create table written (at timestamptz)', plain);
      expect(
        await query(
          port,
          `select pg_is_in_recovery() as recovering, (select subenabled from pg_subscription) as subscribed,
             (select count(*)::int from pg_stat_activity where backend_type ~ 'logical replication|archiver|walreceiver') as at_work`,
          plain,
        ),
      ).toEqual([{ recovering: false, subscribed: true, at_work: 0 }]);
      const again = await strongroom.backUp(api, id);
      await strongroom.until(api, again, ({ status }) => status === 'COMPLETED');
    } finally {
      await plain.stop();
    }
  }, 180_000);

  it('leaves nothing where its scheduler was killed in the middle, when another host has built it', async () => {
    const backup = await strongroom.backUp(api, await strongroom.register(api, customer.server));
    await strongroom.until(api, backup, ({ status }) => status === 'COMPLETED');
    const id = await restore(backup);
    const left = async () => (await readdir(folder)).filter((name) => name.startsWith(id));
    await eventually(async () => expect(await left()).toEqual([`${id}.1`]), { withinMs: 60_000 });
    await scheduler.kill();
    expect(await left()).toEqual([`${id}.1`]);
    const users = async () => (environment.STRONGROOM_BUILT_SERVERS_UIDS ? readdir(join(folder, '.users')) : []);
    const before = await users();

    const elsewhere = await mkdtemp(join(tmpdir(), 'strongroom-elsewhere-'));
    await chmod(elsewhere, 0o711);
    const other = await strongroom.start('scheduler', builtServersIn(elsewhere));
    try {
      const { port } = await until(id, 'ACTIVE');
      scheduler = await strongroom.start('scheduler');
      await eventually(async () => expect(await left()).toEqual([]), { withinMs: 30_000 });
      await eventually(async () => expect(await users()).toEqual([]), { withinMs: 30_000 });
      expect(before).toHaveLength(environment.STRONGROOM_BUILT_SERVERS_UIDS ? 1 : 0);
      expect(await rows(port)).toMatchObject({ count: 5_000 });
    } finally {
      await other.stop();
      await rm(elsewhere, { recursive: true, force: true });
    }
  }, 180_000);

  it('that cannot be built ends in ERROR with its reason', async () => {
    const source = await strongroom.register(api, customer.server);
    const backup = await strongroom.backUp(api, source);
    await strongroom.until(api, backup, ({ status }) => status === 'COMPLETED');
    await strongroom.vaults.damage(backup, 'DFW', 'altered');
    const id = await restore(backup);
    const failed = await until(id, 'ERROR');
    expect(failed).toMatchObject({
      fault: { code: expect.stringMatching(/altered|invalid|missing/) },
    });
    await strongroom.client(api).instances.delete(id);
  }, 120_000);

  it('is never of another backup than the one that the ledger has recorded, though the vault says so', async () => {
    const source = await strongroom.register(api, customer.server);
    const backup = await strongroom.backUp(api, source);
    await strongroom.until(api, backup, ({ status }) => status === 'COMPLETED');
    await strongroom.vaults.rewrite(backup, 'DFW');
    const id = await restore(backup);
    expect(await until(id, 'ERROR')).toMatchObject({
      fault: { code: 'object-altered', message: expect.stringContaining('is another than was stored') },
    });
    await strongroom.client(api).instances.delete(id);
  }, 120_000);
});

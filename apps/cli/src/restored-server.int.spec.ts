import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { storeBackup } from '@strongroom/engines';
import { wholeEngineFor } from '@strongroom/engines/in-this-process';
import { SystemClock } from '@strongroom/runtime/light';
import {
  endProcess,
  freePort,
  identityOf,
  insteadOfRoot,
  PostgresServer,
  postgresPrograms,
} from '@strongroom/server-processes';
import { openVaults } from '@strongroom/vault';
import { z } from 'zod';
import { eventually } from '../../../test/services/eventually.js';
import { verifiedByPostgres } from '../../../test/services/postgres-tools.js';
import { withoutProgress } from '../../../test/services/progress.js';
import { contentsOf, rowsOf } from '../../../test/services/tables.js';

const program = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');
const verified = z.object({
  backups: z.array(z.object({ sha256: z.string() })),
  restored: z.object({
    started: z.boolean(),
    why: z.string().optional(),
    databases: z
      .array(
        z.object({
          name: z.string(),
          tables: z.array(z.object({ name: z.string(), rows: z.string(), digest: z.string() })),
        }),
      )
      .optional(),
  }),
});

describe('a server that strongroom restored', () => {
  let folder: string;
  let vault: string[];
  let sha256: string;
  let expected: Record<string, unknown>;
  let port: number;
  let sourcePort: number;
  const backupId = randomUUID();
  const password = randomBytes(8).toString('hex');
  const urlOf = (of: number) => `postgres://postgres:${password}@127.0.0.1:${of}/postgres`;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-restored-'));
    // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
    await chmod(folder, 0o711);
    for (const name of ['IAD', 'archive', 'spaces']) await mkdir(join(folder, name));
    for (const name of ['archive', 'spaces']) await chmod(join(folder, name), 0o777);
    const server = await PostgresServer.start({
      directory: join(folder, 'server'),
      password,
      settings: { wal_level: 'replica', wal_log_hints: 'on' },
      logFile: join(folder, 'server.log'),
    });
    sourcePort = server.port;
    port = await freePort();
    const query = (sql: string) => rowsOf(server.url(), sql);
    await query(`copy (select 1) to program 'mkdir ${folder}/spaces/fast'`);
    await query(`create tablespace fast location '${folder}/spaces/fast'`);
    await query('create table quick (id integer) tablespace fast');
    await query('insert into quick select generate_series(1, 1000)');
    await query('create table orders as select n as id, md5(n::text) as text from generate_series(1, 5000) n');
    await query('create database "other db"');
    for (const other of ['one', 'two']) {
      await query(`create table t_${other} as select 1 as t, '${other}' as other`);
    }
    await query('create table of_no_columns ()');
    // A `drop database` that was cut off leaves the database like this.
    await query('create database half_dropped');
    await query("update pg_database set datconnlimit = -2 where datname = 'half_dropped'");
    // The server's own command line overrides these, so they hold only for what is restored.
    for (const [name, value] of [
      ['port', port],
      ['archive_mode', 'on'],
      ['archive_command', `cp %p ${folder}/archive/%f`],
      ['primary_conninfo', `host=127.0.0.1 port=${sourcePort} user=postgres password=${password}`],
      ['synchronous_standby_names', 'nobody'],
      ['shared_preload_libraries', 'not_there'],
      ['log_directory', '/nowhere'],
      ['unix_socket_directories', '/nowhere'],
      ['hba_file', 'pg_hba.conf'],
    ] as const) {
      await query(`alter system set ${name} = '${value}'`);
    }
    await query('create publication of_orders for table orders').catch(() => {});
    await query(
      `create subscription follower connection 'host=127.0.0.1 port=${sourcePort} user=postgres password=${password} dbname=postgres' publication of_orders with (connect = false)`,
    );
    await query('alter subscription follower enable');
    await writeFile(join(server.dataDirectory, 'standby.signal'), '');
    await chmod(join(server.dataDirectory, 'standby.signal'), 0o644);
    expected = await contentsOf(server.url());
    const vaults = openVaults(new Map([['IAD', pathToFileURL(join(folder, 'IAD'))]]));
    vault = ['--from', 'IAD', '--vault', `IAD=${pathToFileURL(join(folder, 'IAD')).href}`];
    const endpoint = {
      host: '127.0.0.1',
      port: server.port,
      user: 'postgres',
      database: 'postgres',
      tls: 'disable',
    } as const;
    ({ sha256 } = await storeBackup({
      engine: wholeEngineFor('postgresql'),
      vault: vaults.of('IAD'),
      clock: new SystemClock(),
      target: { instanceId: randomUUID(), endpoint, password },
      backup: {
        backupId,
        accountId: 'acme',
        instanceId: randomUUID(),
        instanceName: 'orders',
        type: 'full',
        parentId: null,
        startedAt: new Date(),
      },
      attempt: 1,
      signal: new AbortController().signal,
    }));
    await server.stop();
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function run(args: string[]) {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: folder,
      env: {},
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
    // A restore that takes long tells how far it is.
    return { code, out, err: err.replace(/^restoring: .*\n/gm, '') };
  }

  it('starts as it is told, from a path with spaces, and acts for nobody but itself', async () => {
    const to = join(folder, "it's restored");
    const place = join(folder, 'fast place');
    const given = [
      'restore',
      backupId,
      '--to',
      to,
      '--sha256',
      sha256,
      '--tablespace',
      `${folder}/spaces/fast=${place}`,
    ];
    const { code, out, err } = await run([...given, ...vault]);
    expect({ code, err: withoutProgress(err) }).toEqual({ code: 0, err: '' });
    expect(out).toContain('standby.signal is now called standby.signal.before-restore');
    for (const [name, value] of [
      ['archive_mode', 'off'],
      ['primary_conninfo', ''],
      ['shared_preload_libraries', ''],
      ['synchronous_standby_names', ''],
    ]) {
      expect(out).toContain(`postgresql.auto.conf: ${name} = '${value}'`);
    }
    expect(out).toContain("Subscriptions don't run");
    expect(out).not.toContain(password);
    await verifiedByPostgres(to);
    const archived = await readdir(join(folder, 'archive'));

    const command = (out.trimEnd().split('\n').at(-1) ?? '').trim();
    expect(command).toContain(`postgres -D '${folder}/it'\\''s restored'`);
    const { bin } = postgresPrograms(insteadOfRoot());
    const shell = spawn('sh', ['-c', `exec 2>>'${folder}/started.log'; ${command}`], {
      env: { PATH: `${bin}:${process.env.PATH}` },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const gone = once(shell, 'exit');
    try {
      await eventually(() => rowsOf(urlOf(port), 'select 1'), { withinMs: 30_000 });
      expect(await contentsOf(urlOf(port))).toEqual(expected);
      expect(await rowsOf(urlOf(port), 'select pg_is_in_recovery() as follows')).toEqual([{ follows: false }]);
      await rowsOf(urlOf(port), 'insert into orders values (0)');
      await rowsOf(urlOf(port), 'select pg_switch_wal()');
      const shown = await rowsOf(
        urlOf(port),
        "select name, setting from pg_settings where name in ('archive_mode', 'max_logical_replication_workers', 'listen_addresses') order by 1",
      );
      expect(shown.map(({ setting }) => setting)).toEqual(['off', 'localhost', '0']);
      expect(await rowsOf(urlOf(port), 'select pid from pg_stat_subscription where pid is not null')).toEqual([]);
      expect(await rowsOf(urlOf(port), 'select slot_name from pg_replication_slots')).toEqual([]);
      expect(await readdir(join(folder, 'archive'))).toEqual(archived);
      expect(await readdir(place)).toHaveLength(1);
    } finally {
      const pid = Number((await readFile(join(to, 'postmaster.pid'), 'utf8')).split('\n')[0]);
      const identity = identityOf(pid);
      if (identity) await endProcess(identity, { what: 'the restored server', signal: 'SIGINT', graceMs: 20_000 });
      await gone;
    }
  }, 120_000);

  it('keeps everything when that is asked for, and says what that means', async () => {
    const to = join(folder, 'as-it-is');
    const { code, out } = await run(['restore', backupId, '--to', to, '--as-is', ...vault]);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('Nothing was changed') });
    expect(await readdir(to)).toContain('standby.signal');
    expect(await readFile(join(to, 'postgresql.auto.conf'), 'utf8')).toMatch(/archive_mode = 'on'/);
    await verifiedByPostgres(to);
  });

  it('is not made of another backup than the one whose digest is given', async () => {
    const to = join(folder, 'other');
    const wrong = sha256.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    for (const args of [
      ['restore', backupId, '--to', to, '--sha256', wrong],
      ['verify', backupId, '--sha256', wrong],
    ]) {
      const { code, err } = await run([...args, ...vault]);
      expect({ code, err }).toEqual({
        code: 13,
        err: expect.stringContaining(`its SHA-256 is ${sha256} and should be ${wrong}`),
      });
    }
    await expect(stat(to)).rejects.toMatchObject({ code: 'ENOENT' });
    const { code } = await run(['verify', backupId, '--sha256', sha256.toUpperCase(), ...vault]);
    expect(code).toBe(0);
  });

  it.each([
    [['--sha256', 'abc'], 'It must be a SHA-256'],
    [['--tablespace', '/fast'], 'It must be like 16413='],
    [['--tablespace', '/x=y', '--tablespace', '/x=z'], '--tablespace has /x twice'],
  ])('is not restored with %j', async (options, why) => {
    const to = join(folder, 'never');
    const { code, err } = await run(['restore', backupId, '--to', to, ...options, ...vault]);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(why) });
  });

  it('verify --restore starts, reads to the last row, and removes again', async () => {
    const scratch = join(folder, 'scratch');
    await mkdir(scratch);
    await chmod(scratch, 0o711);
    const { code, out, err } = await run(['verify', backupId, '--restore', '--scratch', scratch, '--json', ...vault]);
    expect({ code, err: withoutProgress(err) }).toEqual({ code: 0, err: '' });
    const { backups, restored } = verified.parse(JSON.parse(out));
    expect(backups).toEqual([{ sha256 }]);
    expect(restored.databases?.map(({ name }) => name)).toEqual(['other db', 'postgres', 'template1']);
    const read = restored.databases?.find(({ name }) => name === 'postgres')?.tables ?? [];
    expect(read).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'public.orders', rows: '5000' }),
        expect.objectContaining({ name: 'public.quick', rows: '1000' }),
        expect.objectContaining({ name: 'public.of_no_columns', rows: '0' }),
      ]),
    );
    // The digest is of the whole row, also where a column has the name of the alias.
    const digestOf = (table: string) => read.find(({ name }) => name === `public.${table}`)?.digest;
    expect(digestOf('t_one')).not.toBe(digestOf('t_two'));
    expect(read.some(({ name }) => name === 'pg_catalog.pg_class')).toBe(true);
    expect(await readdir(scratch)).toEqual([]);
    const people = await run(['verify', backupId, '--restore', '--scratch', scratch, ...vault]);
    expect(people.out).toMatch(/A server of version 18 started on it; all \d+ tables of 3 databases were read:/);
  }, 120_000);

  it('verify --restore says when there is no server of the version at hand, and ends with 3', async () => {
    const { code, out } = await run([
      'verify',
      backupId,
      '--restore',
      '--programs',
      dirname(program),
      '--json',
      ...vault,
    ]);
    expect(code).toBe(3);
    expect(verified.parse(JSON.parse(out)).restored).toMatchObject({
      started: false,
      why: expect.stringContaining('Give the folder with its programs: --programs BIN'),
    });
  }, 60_000);
});

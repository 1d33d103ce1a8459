import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FixedClock } from '@strongroom/runtime/light';
import { PostgresServer } from '@strongroom/server-processes';
import { copyBackup, openVaults, type Vault } from '@strongroom/vault';
import pg from 'pg';
import { eventually } from '../../../../test/services/eventually.js';
import { verifiedByPostgres } from '../../../../test/services/postgres-tools.js';
import { restoreHere } from '../../fixtures/restore-here.js';
import { SealsInMemory } from '../../fixtures/seals-in-memory.js';
import { TroubledVault } from '../../fixtures/troubled-vault.js';
import type { EngineTarget } from '../engine.js';
import { type StoredBackup, type StoreOptions, storeBackup } from '../store-backup.js';
import { PostgresqlEngine } from './postgresql-engine.js';

const run = promisify(execFile);
const never = new AbortController().signal;
const engine = new PostgresqlEngine();
const clock = new FixedClock(new Date('2026-11-14T14:31:00.000Z'));

const instanceId = randomUUID();

describe('a backup of a real PostgreSQL server', () => {
  let folder: string;
  let server: PostgresServer;
  let home: Vault;
  let away: Vault;
  const password = randomBytes(8).toString('hex');

  const start = () =>
    PostgresServer.start({
      directory: join(folder, 'server'),
      password,
      settings: { fsync: 'off', wal_level: 'replica', max_wal_size: '64MB', min_wal_size: '32MB' },
      logFile: join(folder, 'server.log'),
    });
  const on = async <T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  };
  const query = (sql: string, url = server.url()) => on(url, async (client) => (await client.query(sql)).rows);
  const target = (endpoint: Partial<EngineTarget['endpoint']> = {}, secret = password): EngineTarget => ({
    instanceId,
    endpoint: {
      host: '127.0.0.1',
      port: server.port,
      user: 'backup',
      database: 'postgres',
      tls: 'disable',
      ...endpoint,
    },
    password: secret,
  });
  const seals = new SealsInMemory();
  const store = (
    backupId: string,
    more: Partial<Pick<StoreOptions, 'engine' | 'vault' | 'target' | 'attempt' | 'signal' | 'progress'>> = {},
  ): Promise<StoredBackup> =>
    storeBackup({
      engine,
      vault: home,
      clock,
      seals,
      target: target(),
      backup: {
        backupId,
        accountId: 'acme',
        instanceId,
        instanceName: 'orders',
        type: 'full',
        parentId: null,
        startedAt: new Date('2026-11-14T14:30:00.000Z'),
      },
      attempt: 1,
      signal: never,
      ...more,
    });
  /** Says that nothing is left, neither in the vault nor on the server. */
  const expectNoTrace = async (backupId: string) => {
    await expect(home.manifest(backupId)).resolves.toBeUndefined();
    const left = await readdir(join(folder, 'DFW', 'backups', backupId.slice(-2), backupId)).catch(() => []);
    expect(left.filter((name) => !name.startsWith('state.'))).toEqual([]);
    await eventually(
      async () => {
        expect(await query('select * from pg_replication_slots')).toEqual([]);
        expect(await query('select * from pg_stat_replication')).toEqual([]);
      },
      { withinMs: 10_000 },
    );
  };
  /** Of every table, its rows and a digest of them. */
  const contents = (url: string) =>
    on(url, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema') order by 1",
      );
      const found: Record<string, unknown> = {};
      for (const { name } of rows) {
        const digest = `select count(*) as rows, md5(string_agg(md5(t::text), '' order by md5(t::text))) as digest from ${name} t`;
        found[name] = (await client.query(digest)).rows[0];
      }
      return found;
    });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-engine-'));
    // Where this is root, PostgreSQL runs as another user, who must be able to pass through.
    await chmod(folder, 0o711);
    for (const region of ['DFW', 'IAD']) await mkdir(join(folder, region));
    const vaults = openVaults(new Map(['DFW', 'IAD'].map((region) => [region, pathToFileURL(join(folder, region))])));
    [home, away] = [vaults.of('DFW'), vaults.of('IAD')];
    await mkdir(join(folder, 'spaces'));
    await chmod(join(folder, 'spaces'), 0o777);
    server = await start();
    await query(`create role backup login replication password '${password}'`);
    await query(`create role bystander login password '${password}'`);
    const space = join(folder, 'spaces', 'fast');
    await query(`copy (select 1) to program 'mkdir ${space}'`);
    await query(`create tablespace fast location '${space}'`);
    await query('create table account (id integer primary key, owner text, balance numeric)');
    await query("insert into account select n, 'Ünïcödé ' || n, n * 1.5 from generate_series(1, 50000) n");
    await query('create table hot (id integer primary key, filling text) tablespace fast');
    await query('insert into hot select n, md5(n::text) from generate_series(1, 50000) n');
    await query('create index on hot (filling) tablespace fast');
    await query('create database other');
    await query('create table elsewhere as select generate_series(1, 1000) as n', server.url('other'));
    await query('create table ballast (id integer, filling text)');
    await query('alter table ballast alter column filling set storage plain');
    await query('insert into ballast select n, repeat(md5(n::text), 60) from generate_series(1, 20000) n');
    await query('create table written (id bigint primary key)');
  }, 120_000);

  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('taken while it is written to comes back from the copy in another region: verified by PostgreSQL, started, every table equal', async () => {
    const backupId = randomUUID();
    const writer = new pg.Client({ connectionString: server.url() });
    await writer.connect();
    let isWriting = true;
    let written = 0;
    const writing = (async () => {
      while (isWriting) {
        // So much WAL that its segments would be recycled during the backup if they were not kept for it.
        await writer.query(`insert into written select ${written} * 1000 + n from generate_series(1, 1000) n`);
        written += 1;
      }
    })();
    const quiet = await contents(server.url());
    await eventually(() => expect(written).toBeGreaterThan(3), { withinMs: 10_000 });
    const before = written;
    const stored = await store(backupId);
    isWriting = false;
    await writing;
    await writer.end();

    const sealed = await home.manifest(backupId);
    expect(sealed?.sha256).toBe(stored.sha256);
    expect(sealed?.manifest).toMatchObject({
      backupId,
      region: 'DFW',
      datastore: { type: 'postgresql', version: expect.stringMatching(/^18\./) },
      completedAt: '2026-11-14T14:31:00.000Z',
      engine: { timeline: 1, blockSize: 8_192, tablespaces: [{ location: join(folder, 'spaces', 'fast') }] },
    });
    expect(sealed?.manifest.objects.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^\d+\.tar\.zst$/),
      'base.tar.zst',
      'backup_manifest.zst',
    ]);

    await copyBackup({
      from: home,
      to: away,
      backupId,
      attempt: 1,
      expectedSha256: stored.sha256,
      signal: never,
    });
    await home.purge(backupId, 3);
    const restored = join(folder, 'restored');
    const result = await restoreHere({ vault: away, backupId, directory: restored });
    expect(result).toMatchObject({ outside: [expect.stringContaining('restored.tablespaces')] });
    expect(result.advice.join('\n')).not.toContain('settings elsewhere');
    expect(result.files).toBeGreaterThan(1_000);
    const [oid = ''] = await readdir(join(restored, 'pg_tblspc'));
    expect(await readlink(join(restored, 'pg_tblspc', oid))).toBe(join(folder, 'restored.tablespaces', oid));
    expect((await stat(restored)).mode & 0o777).toBe(0o700);
    expect((await stat(join(restored, 'PG_VERSION'))).mode & 0o777).toBe(0o600);
    await verifiedByPostgres(restored);

    await run('chown', ['-R', `--reference=${server.dataDirectory}`, `${restored}.tablespaces`]);
    const second = await PostgresServer.startOn(restored, { password, logFile: join(folder, 'restored.log') });
    try {
      const { 'public.written': _, ...others } = await contents(second.url());
      const { 'public.written': __, ...expected } = quiet;
      expect(others).toEqual(expected);
      expect(await contents(second.url('other'))).toEqual(await contents(server.url('other')));
      // Everything that was committed before is in it, and it ends at one point in time.
      const [{ rows, last }] = await query(
        'select count(*)::int as rows, max(id)::int as last from written',
        second.url(),
      );
      expect(rows).toBe(last);
      expect(rows % 1_000).toBe(0);
      expect(rows).toBeGreaterThanOrEqual(before * 1_000);
      const spaces = await query("select spcname from pg_tablespace where spcname = 'fast'", second.url());
      expect(spaces).toHaveLength(1);
    } finally {
      await second.stop();
    }
  }, 120_000);

  it('is taken over from an attempt that died after it had sealed, and made anew where its bytes are bad', async () => {
    const backupId = randomUUID();
    const first = await store(backupId);
    await expect(store(backupId, { attempt: 2 })).resolves.toEqual(first);
    await rm(join(folder, 'DFW', (await home.locationOf(backupId)) ?? '', 'base.tar.zst'));
    const second = await store(backupId, { attempt: 3 });
    expect(second.sha256).not.toBe(first.sha256);
    await expect(home.verify(backupId)).resolves.toMatchObject({ sha256: second.sha256 });
    await home.purge(backupId, 3);
  }, 60_000);

  it.each([
    ['the password is wrong', () => target({}, 'not it'), 'credentials-refused', 'right user and password'],
    ['there is no password', () => target({}, ''), 'credentials-refused', 'the instance has none'],
    ['the user does not exist', () => target({ user: 'nobody' }), 'credentials-refused', 'right user and password'],
    ['the user may not take backups', () => target({ user: 'bystander' }), 'backup-not-permitted', 'REPLICATION'],
    ['nothing listens there', () => target({ port: 1 }), 'server-unreachable', 'See that it is up'],
    [
      'the host has no address',
      () => target({ host: 'no.such.host.invalid' }),
      'server-unreachable',
      'The name has no address here',
    ],
    [
      'TLS is asked for and the server has none',
      () => target({ tls: 'require' }),
      'backup-not-permitted',
      'Turn ssl on',
    ],
  ])('is not made when %s, and says what to do, without the password', async (_, targetOf, code, next) => {
    const backupId = randomUUID();
    const failed = store(backupId, { target: targetOf() });
    await expect(failed).rejects.toMatchObject({ name: 'EngineFault', code });
    await expect(failed).rejects.toThrow(next);
    await expect(failed).rejects.not.toThrow(/not it/);
    await expectNoTrace(backupId);
  });

  it('is not made when all walsenders are taken, and says so', async () => {
    const busy = new AbortController();
    const running = await Promise.all(
      Array.from({ length: 10 }, () => engine.backup(target(), { backupId: 'busy', signal: busy.signal })),
    );
    await expect(store(randomUUID())).rejects.toMatchObject({ code: 'server-exhausted', retryable: true });
    busy.abort();
    for (const { result } of running) await expect(result).rejects.toMatchObject({ code: 'cancelled' });
    await eventually(async () => expect(await query('select * from pg_stat_replication')).toEqual([]), {
      withinMs: 10_000,
    });
  });

  it('is not made when the disk of the vault is full, and leaves nothing', async () => {
    const backupId = randomUUID();
    const full = store(backupId, { vault: new TroubledVault(home, { freeBytes: 100_000 }) });
    await expect(full).rejects.toMatchObject({ name: 'VaultFault', code: 'vault-full', region: 'DFW' });
    await expectNoTrace(backupId);
  });

  it('is given up when the vault takes no more bytes, so that the server does not keep its WAL for ever', async () => {
    const backupId = randomUUID();
    let release = () => {};
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    const hanging = new TroubledVault(home, { hang: { afterBytes: 100_000, until } });
    const hung = store(backupId, { vault: hanging, engine: new PostgresqlEngine({ heldMs: 500 }) });
    await expect(hung).rejects.toMatchObject({ code: 'reader-stalled', retryable: true });
    await expect(hung).rejects.toThrow('See whether the vault hangs');
    await expectNoTrace(backupId);
    release();
  });

  it('whose disk fails while it is sealed may be there, and is taken over; one that can not be read now is left alone', async () => {
    const backupId = randomUUID();
    await expect(store(backupId, { vault: new TroubledVault(home, { breaksAfterSeal: true }) })).rejects.toThrow(
      /^The disk failed\.$/,
    );
    const taken = await store(backupId, { attempt: 2 });
    expect(taken.location).toContain('/1.');
    const late = store(backupId, { attempt: 3, vault: new TroubledVault(home, { failsToVerify: true }) });
    await expect(late).rejects.toThrow(/^The disk failed\.$/);
    await expect(home.verify(backupId)).resolves.toMatchObject({ sha256: taken.sha256, location: taken.location });
    await home.purge(backupId, 3);
    await expectNoTrace(backupId);
  }, 60_000);

  it('is made though the server can not archive its WAL: the backup has what it needs', async () => {
    const archiving = await PostgresServer.start({
      directory: join(folder, 'archiving'),
      password,
      settings: { fsync: 'off', wal_level: 'replica', archive_mode: 'on', archive_command: 'false' },
      logFile: join(folder, 'archiving.log'),
    });
    try {
      await query(`create role backup login replication password '${password}'`, archiving.url());
      await query('create table account as select generate_series(1, 1000) as id', archiving.url());
      const backupId = randomUUID();
      const impatient = new PostgresqlEngine({ stallMs: 5_000 });
      await store(backupId, { target: target({ port: archiving.port }), engine: impatient });
      const [{ failed }] = await query('select failed_count::int as failed from pg_stat_archiver', archiving.url());
      expect(failed).toBeGreaterThan(0);
      const directory = join(folder, 'unarchived');
      await restoreHere({ vault: home, backupId, directory });
      await verifiedByPostgres(directory);
    } finally {
      await archiving.stop();
    }
  }, 60_000);

  it('that is cancelled midway leaves nothing', async () => {
    const backupId = randomUUID();
    const running = new AbortController();
    const cancelled = store(backupId, { signal: running.signal, progress: () => running.abort() });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    await expectNoTrace(backupId);
  });

  it('leaves no folder half restored when the vault has not every byte of it', async () => {
    const backupId = randomUUID();
    await store(backupId);
    const object = join(folder, 'DFW', (await home.locationOf(backupId)) ?? '', 'base.tar.zst');
    await run('truncate', ['--size=-1', object]);
    const directory = join(folder, 'half');
    await expect(restoreHere({ vault: home, backupId, directory })).rejects.toMatchObject({ code: 'object-altered' });
    expect(await readdir(directory)).toEqual([]);
    expect(await readdir(`${directory}.tablespaces`)).toEqual([]);
    await home.purge(backupId, 3);
  }, 60_000);

  it('ends when the server is killed midway, says so, and leaves nothing', async () => {
    const backupId = randomUUID();
    let killing: Promise<void> | undefined;
    const killed = store(backupId, {
      progress: () => {
        killing ??= server.kill();
      },
    });
    await expect(killed).rejects.toMatchObject({ code: 'server-unreachable', retryable: true });
    await killing;
    server = await start();
    await expectNoTrace(backupId);
  }, 60_000);
});

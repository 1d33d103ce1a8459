import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '@strongroom/runtime/light';
import { PostgresServer } from '@strongroom/server-processes';
import { copyBackup, openVaults, type Vault } from '@strongroom/vault';
import { z } from 'zod';
import { eventually } from '../../../../../test/services/eventually.js';
import { postgresTools, verifiedByPostgres } from '../../../../../test/services/postgres-tools.js';
import { contentsOf, rowsOf } from '../../../../../test/services/tables.js';
import { journalOf, openBank, unbookedAt, workAt } from '../../../fixtures/bank.js';
import { restoreHere } from '../../../fixtures/restore-here.js';
import { openBackup } from '../../open-backup.js';
import { storeBackup } from '../../store-backup.js';
import { PostgresqlEngine } from '../postgresql-engine.js';
import { limitBlocksName } from './limit-list.js';
import { replicationSlotOf } from './replication-slot.js';

const run = promisify(execFile);
const never = new AbortController().signal;
const engine = new PostgresqlEngine();
const manifest = z.object({
  Files: z.array(z.object({ Path: z.string(), Size: z.int(), Checksum: z.string().optional() })),
});

describe('a chain of backups of a real PostgreSQL server', () => {
  let folder: string;
  let server: PostgresServer;
  let home: Vault;
  let away: Vault;
  const password = randomBytes(8).toString('hex');
  const instanceId = randomUUID();
  /** The backups, in the order in which they are taken. */
  const [full, first, underLoad, quiet] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
  const restored = new Map<string, string>();
  /** Every table as it was at each backup. Of the backup under load, only the tables that nobody wrote to. */
  const expected = new Map<string, Record<string, unknown>>();
  /** The bank's journal before the backup under load, and after it. */
  let journalBefore: string[] = [];
  let journalAfter: string[] = [];

  const query = (sql: string) => rowsOf(server.url(), sql);
  const target = (port = server.port) => ({
    instanceId,
    endpoint: { host: '127.0.0.1', port, user: 'backup', database: 'postgres', tls: 'disable' } as const,
    password,
  });
  const take = (backupId: string, parentId: string | null, more: { port?: number } = {}) =>
    storeBackup({
      engine,
      vault: home,
      clock: new SystemClock(),
      target: target(more.port),
      backup: {
        backupId,
        accountId: 'acme',
        instanceId,
        instanceName: 'orders',
        type: parentId === null ? 'full' : 'incremental',
        parentId,
        startedAt: new Date(),
      },
      attempt: 1,
      signal: never,
    });
  const whyNotIncremental = async () => {
    const { incremental } = await engine.describe(target(), never);
    return incremental.isPossible ? undefined : incremental.why;
  };
  const slots = async () =>
    (await query("select slot_name from pg_replication_slots where slot_name like 'strongroom_chain%'")).map(
      ({ slot_name }) => slot_name,
    );
  /** The tables without the bank's. */
  const quietOf = ({ 'public.account': _, 'public.journal': __, ...others }: Record<string, unknown>) => others;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-chain-'));
    // Where this is root, PostgreSQL runs as another user, who must be able to pass through.
    await chmod(folder, 0o711);
    for (const region of ['DFW', 'IAD']) await mkdir(join(folder, region));
    const vaults = openVaults(new Map(['DFW', 'IAD'].map((region) => [region, pathToFileURL(join(folder, region))])));
    [home, away] = [vaults.of('DFW'), vaults.of('IAD')];
    server = await PostgresServer.start({
      directory: join(folder, 'server'),
      password,
      settings: { fsync: 'off', wal_level: 'replica', max_wal_size: '256MB' },
      logFile: join(folder, 'server.log'),
    });
    await query('alter system set summarize_wal = on');
    await query('select pg_reload_conf()');
    await query(`create role backup login replication password '${password}'`);
    await mkdir(join(folder, 'spaces'));
    await chmod(join(folder, 'spaces'), 0o777);
    await query(`copy (select 1) to program 'mkdir ${folder}/spaces/fast ${folder}/spaces/late'`);
    await query(`create tablespace fast location '${folder}/spaces/fast'`);
    await openBank(server.url());
    await query('create table hot (id integer primary key, filling text) tablespace fast');
    await query('insert into hot select n, md5(n::text) from generate_series(1, 30000) n');
    for (const name of ['shrinking', 'truncated', 'dropped', 'rewritten']) {
      await query(`create table ${name} (id integer, filling text)`);
      await query(`insert into ${name} select n, repeat(md5(n::text), 10) from generate_series(1, 5000) n`);
    }
    await query('create unlogged table scratch (id integer)');
    await query('create database doomed');
    await query('checkpoint');

    await take(full, null);
    expected.set(full, await contentsOf(server.url()));
    await query("update hot set filling = 'changed' where id % 100 = 0");
    await query('delete from shrinking where id > 100');
    await query('vacuum (truncate) shrinking');
    await query("update rewritten set filling = 'new' where id < 1000");
    await take(first, full);
    expected.set(first, await contentsOf(server.url()));
    const stop = workAt(server.url());
    await query('insert into shrinking select n, repeat(md5(n::text), 12) from generate_series(200, 9000) n');
    await query('truncate truncated');
    await query('drop table dropped');
    await query('vacuum full rewritten');
    await query('drop database doomed');
    await query('create database late');
    await query(`create tablespace late location '${folder}/spaces/late'`);
    await query('create table added (id integer, filling text) tablespace late');
    await query('insert into added select n, md5(n::text) from generate_series(1, 20000) n');
    await eventually(async () => expect(await journalOf(server.url())).not.toHaveLength(0), { withinMs: 20_000 });
    journalBefore = await journalOf(server.url());
    await take(underLoad, first);
    await stop();
    expected.set(underLoad, quietOf(await contentsOf(server.url())));
    journalAfter = await journalOf(server.url());
    await query('drop table hot');
    await query('drop tablespace fast');
    await query("update added set filling = 'again' where id % 7 = 0");
    await take(quiet, underLoad);
    expected.set(quiet, await contentsOf(server.url()));

    for (const backupId of [full, first, underLoad, quiet]) {
      const sealed = await home.manifest(backupId);
      const expectedSha256 = sealed?.sha256 ?? '';
      await copyBackup({ from: home, to: away, backupId, attempt: 1, expectedSha256, signal: never });
      const directory = join(folder, `restored-${backupId}`);
      await restoreHere({ vault: away, backupId, directory });
      restored.set(backupId, directory);
    }
  }, 240_000);
  afterAll(async () => {
    await server.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 20 });
  });

  const folderOf = (backupId: string) => restored.get(backupId) ?? '';

  it('has incrementals that are far smaller than its full backup', async () => {
    const sizeOf = async (id: string) =>
      ((await home.manifest(id))?.manifest.objects ?? [])
        .filter(({ name }) => name.startsWith('base.tar'))
        .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    expect(await sizeOf(first)).toBeLessThan((await sizeOf(full)) / 2);
    expect((await home.manifest(first))?.manifest).toMatchObject({ type: 'incremental', parentId: full });
  });

  it.each([
    ['first', 1],
    ['underLoad', 2],
    ['quiet', 3],
  ] as const)(
    'restored to its %s incremental is what PostgreSQL’s own pg_combinebackup makes of it, byte for byte',
    async (name, count) => {
      const tools = await postgresTools();
      if (!tools) return;
      const ids = [full, first, underLoad, quiet].slice(0, count + 1);
      const raw = join(folder, `raw-${name}`);
      const members = await Promise.all(ids.map((id) => unpackRaw(away, id, join(raw, id))));
      const newest = members.at(-1) as { directory: string; spaces: string[] };
      const combined = join(raw, 'combined');
      const moved = newest.spaces.flatMap((oid) => [
        '-T',
        `${newest.directory}.spaces/${oid}=${combined}.spaces/${oid}`,
      ]);
      await run(join(tools, 'pg_combinebackup'), [
        ...members.map(({ directory }) => directory),
        '-o',
        combined,
        '--no-sync',
        '--manifest-checksums=SHA256',
        ...moved,
      ]);

      const ours = folderOf(ids.at(-1) ?? '');
      const differences = async (a: string, b: string, ...more: string[]) =>
        (await run('diff', ['-rq', '--no-dereference', ...more, a, b]).catch((error: { stdout: string }) => error))
          .stdout;
      const others = ['-x', 'backup_manifest', '-x', 'pg_tblspc', '-x', '*_vm'];
      expect(await differences(ours, combined, ...others)).toBe('');
      for (const oid of newest.spaces) {
        expect(await differences(join(`${ours}.tablespaces`, oid), join(`${combined}.spaces`, oid), ...others)).toBe(
          '',
        );
      }
      expect((await readdir(join(ours, 'pg_tblspc'))).sort()).toEqual(
        (await readdir(join(combined, 'pg_tblspc'))).sort(),
      );
      // The manifests differ in the order and the times of the files, and not in the files. PostgreSQL's has not every digest.
      const listed = manifest.parse(JSON.parse(await readFile(join(combined, 'backup_manifest'), 'utf8'))).Files;
      // A server's own manifest does not list WAL.
      const theirs = listed.filter(({ Path }) => !/^pg_wal\/[0-9A-F]{24}$/.test(Path));
      const written = manifest.parse(JSON.parse(await readFile(join(ours, 'backup_manifest'), 'utf8'))).Files;
      const files = new Map(written.map((file) => [file.Path, file]));
      expect([...files.keys()].sort()).toEqual(theirs.map(({ Path }) => Path).sort());
      for (const { Path, Size, Checksum } of theirs) {
        const file = files.get(Path);
        // PostgreSQL's visibility map may claim what is not true any more. Ours claims nothing that PostgreSQL's does not.
        if (Path.endsWith('_vm')) {
          expect([Path, file?.Size]).toEqual([Path, Size]);
          if (Path.startsWith('pg_tblspc')) continue;
          const [mine, its] = [await readFile(join(ours, Path)), await readFile(join(combined, Path))];
          expect([Path, mine.every((byte, at) => byte === 0 || byte === its[at])]).toEqual([Path, true]);
          continue;
        }
        expect([Path, file?.Size, file?.Checksum]).toEqual([Path, Size, Checksum ?? file?.Checksum]);
      }
    },
    120_000,
  );

  it('is called good by pg_verifybackup, whichever of its members is restored', async () => {
    for (const directory of restored.values()) await verifiedByPostgres(directory);
  }, 60_000);

  it.each([
    ['full backup', full],
    ['first incremental', first],
    ['incremental taken under load', underLoad],
    ['last incremental', quiet],
  ])('starts from its %s, with every table as it was', async (_, backupId) => {
    const started = await PostgresServer.startOn(folderOf(backupId), {
      password,
      logFile: join(folder, `${backupId}.log`),
    });
    try {
      const found = await contentsOf(started.url());
      expect(backupId === underLoad ? quietOf(found) : found).toEqual(expected.get(backupId));
      if (backupId === underLoad) {
        // It has what was committed before and nothing that was not, and each account is as its journal says.
        const entries = await journalOf(started.url());
        expect(entries.filter((entry) => !journalAfter.includes(entry))).toEqual([]);
        expect(journalBefore.filter((entry) => !entries.includes(entry))).toEqual([]);
      }
      expect(await unbookedAt(started.url())).toEqual([]);
    } finally {
      await started.stop();
    }
  });

  it('cannot be restored without one of its links, and says which is missing, before anything is written', async () => {
    const lost = join(folder, 'lost');
    await cp(join(folder, 'IAD'), lost, { recursive: true });
    const vault = openVaults(new Map([['IAD', pathToFileURL(lost)]])).of('IAD');
    await vault.purge(first, 1);
    const directory = join(folder, 'never');
    await expect(restoreHere({ vault, backupId: quiet, directory })).rejects.toMatchObject({
      code: 'object-missing',
      message: expect.stringContaining(first),
    });
    expect(await readdir(directory).catch(() => 'not there')).toBe('not there');
  });

  it('leaves an empty folder when one of its links is altered', async () => {
    const altered = join(folder, 'altered');
    await cp(join(folder, 'IAD'), altered, { recursive: true });
    const vault = openVaults(new Map([['IAD', pathToFileURL(altered)]])).of('IAD');
    const object = join(altered, (await vault.locationOf(underLoad)) ?? '', 'base.tar.zst');
    const bytes = await readFile(object);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    await rm(object);
    await pipeline([bytes], createWriteStream(object));
    const directory = join(folder, 'half');
    await expect(restoreHere({ vault, backupId: quiet, directory })).rejects.toMatchObject({
      code: 'object-altered',
    });
    expect(await readdir(directory)).toEqual([]);
  });

  it('is not built on by a server that was restored from it: it would be a chain of two histories', async () => {
    const copy = join(folder, 'foreign');
    await restoreHere({ vault: home, backupId: full, directory: copy });
    const foreign = await PostgresServer.startOn(copy, { password, logFile: join(folder, 'foreign.log') });
    try {
      await expect(take(randomUUID(), full, { port: foreign.port })).rejects.toMatchObject({
        code: 'incremental-not-possible',
        ground: expect.stringMatching(/^(parent-slot-gone|snapshot-put-back)$/),
        message: expect.stringContaining('Take a full backup'),
      });
    } finally {
      await foreign.stop();
    }
  }, 60_000);

  it('is not built on when the server no longer knows what has changed since, and the server says so itself', async () => {
    const startLsn = (await openBackup(home, quiet)).manifest.engine.startLsn;
    await query('checkpoint');
    const after = `select * from pg_available_wal_summaries() where end_lsn > '${String(startLsn)}'`;
    await eventually(async () => expect(await query(after)).not.toEqual([]), { withinMs: 20_000 });
    const summaries = join(server.dataDirectory, 'pg_wal', 'summaries');
    for (const name of await readdir(summaries)) await rm(join(summaries, name));
    const refused = take(randomUUID(), quiet);
    await expect(refused).rejects.toMatchObject({ ground: 'summaries-missing', cause: { code: '55000' } });
    await expect(refused).rejects.toThrow(/WAL summaries are required .* Take a full backup/);
  }, 120_000);

  it('leaves a replication slot with each backup, and builds on none whose own is gone, though others are there', async () => {
    expect(new Set(await slots())).toEqual(new Set([full, first, underLoad, quiet].map(replicationSlotOf)));
    const newer = randomUUID();
    await take(newer, null);
    await engine.release(target(), [full, first, underLoad, quiet], never);
    expect(await slots()).toEqual([replicationSlotOf(newer)]);
    await expect(take(randomUUID(), quiet)).rejects.toMatchObject({
      code: 'incremental-not-possible',
      ground: 'parent-slot-gone',
    });
    await engine.release(target(), [newer], never);
    await engine.release(target(), [newer, full], never);
    expect(await slots()).toEqual([]);
  }, 60_000);

  it('is not begun where the server does not summarize its WAL, and the reason is told', async () => {
    expect(await whyNotIncremental()).toBeUndefined();
    await query('alter system set summarize_wal = off');
    await query('select pg_reload_conf()');
    await eventually(async () => expect(await whyNotIncremental()).toContain('summarize_wal'), {
      withinMs: 10_000,
    });
    const alone = randomUUID();
    await take(alone, null);
    expect((await openBackup(home, alone)).manifest.engine.chainSlot).toBeNull();
    // The same attempt can go on to take a full one in its place.
    const inItsPlace = randomUUID();
    await expect(take(inItsPlace, alone)).rejects.toMatchObject({ ground: 'wal-not-summarized' });
    await expect(take(inItsPlace, null)).resolves.toMatchObject({ type: 'full', parentId: null });
    expect(await slots()).toEqual([]);
  }, 60_000);
});

/** Unpacks a backup as PostgreSQL's tools want it, with the tablespaces beside it. */
async function unpackRaw(vault: Vault, backupId: string, directory: string) {
  await mkdir(directory, { recursive: true });
  const { manifest, open } = await openBackup(vault, backupId);
  const spaces: string[] = [];
  for (const { name } of manifest.objects) {
    const plain = name.replace(/\.zst$/, '');
    // Only our backups have it.
    if (plain === limitBlocksName) continue;
    const oid = /^(\d+)\.tar$/.exec(plain)?.[1];
    const to = oid === undefined ? directory : join(`${directory}.spaces`, oid);
    await mkdir(to, { recursive: true });
    await pipeline(open(plain), createWriteStream(join(to, plain)));
    if (plain.endsWith('.tar')) {
      await run('tar', ['-xf', join(to, plain), '-C', to]);
      await rm(join(to, plain));
    }
    if (oid !== undefined) spaces.push(oid);
  }
  for (const oid of spaces) {
    await rm(join(directory, 'pg_tblspc', oid), { force: true });
    await symlink(join(`${directory}.spaces`, oid), join(directory, 'pg_tblspc', oid));
  }
  return { directory, spaces };
}

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFile, chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../../../test/services/eventually.js';
import { postgresTools } from '../../../../../test/services/postgres-tools.js';
import type { PostgresVersion } from '../../../../../test/services/postgres-versions.js';
import { contentsOf } from '../../../../../test/services/tables.js';
import { type BackedUpOptions, BackedUpServer } from '../../../fixtures/backed-up-server.js';
import { replicationSlotOf } from './replication-slot.js';
import { WalSummaries } from './wal-summaries.js';

const run = promisify(execFile);
const never = new AbortController().signal;
/** The project's own version 18, and the newest 17 that is available. */
const versions: [string, PostgresVersion | undefined][] = [
  ['18', undefined],
  ['17', '17'],
];

const running = new Set<BackedUpServer>();
afterEach(async () => {
  for (const server of running) await server.remove();
  running.clear();
});

/** Undefined, with a message, where the version is not available. */
async function start(options: BackedUpOptions = {}): Promise<BackedUpServer | undefined> {
  const server = await BackedUpServer.start(options);
  if (server) running.add(server);
  return server;
}

async function filled(options: BackedUpOptions = {}): Promise<BackedUpServer | undefined> {
  const server = await start(options);
  await fill(server);
  return server;
}

async function fill(server: BackedUpServer | undefined): Promise<void> {
  await server?.query('create table t (id integer primary key, filling text)');
  await server?.query("insert into t select n, repeat('x', 100) from generate_series(1, 20000) n");
}

/** Has the server write more WAL than any state before has. */
async function goOn(server: BackedUpServer): Promise<void> {
  for (let time = 0; time < 3; time += 1) {
    await server.query("update t set filling = repeat('y', 100) where id % 4 = 0");
    await server.query('select pg_switch_wal()');
    await server.query('checkpoint');
  }
}

describe.each(versions)('on PostgreSQL %s', (_, version) => {
  describe('as long as the server stays as it is', () => {
    let shared: BackedUpServer | undefined;
    beforeAll(async () => {
      shared = await BackedUpServer.start({ version });
      await fill(shared);
    }, 60_000);
    afterEach(async () => {
      await shared?.query('select pg_drop_replication_slot(slot_name) from pg_replication_slots');
    });
    afterAll(() => shared?.remove());

    it('a backup leaves its replication slot when it has ended, not before: a snapshot that was made meanwhile has none', async () => {
      const server = shared;
      if (!server) return;
      const backupId = randomUUID();
      const backup = await server.engine.backup(server.target, { backupId, signal: never });
      expect(await server.slots()).toEqual([expect.stringMatching(/^strongroom_[0-9a-f]{12}$/)]);
      for await (const { source } of backup.objects) for await (const _ of source);
      await expect(backup.result).resolves.toMatchObject({
        facts: { chainSlot: replicationSlotOf(backupId), slotMadeAt: 'end' },
      });
      expect(await server.slots()).toEqual([replicationSlotOf(backupId)]);
    });

    it('a replication slot that a dead attempt left is dropped and made anew', async () => {
      const server = shared;
      if (!server) return;
      const backupId = randomUUID();
      // The test knows the old one by the WAL that it keeps.
      await server.query(`select pg_create_physical_replication_slot('${replicationSlotOf(backupId)}', true)`);
      await server.take(null, { backupId });
      const kept = 'select slot_name::text from pg_replication_slots where restart_lsn is not null';
      expect(await server.query(kept)).toEqual([]);
      await expect(server.take(backupId)).resolves.toBeDefined();
    });

    it('only the newest backup is built on, once the replication slots of those before it have been dropped', async () => {
      const server = shared;
      if (!server) return;
      const full = await server.take();
      const first = await server.take(full);
      await server.engine.release(server.target, [full], never);
      const refused = server.take(full);
      await expect(refused).rejects.toMatchObject({ ground: 'parent-slot-gone' });
      await expect(refused).rejects.toThrow(/a newer backup was taken since.*Take a full backup/);
      await expect(server.take(first)).resolves.toBeDefined();
    });

    it('chains of two instances that are one server go on beside one another', async () => {
      const server = shared;
      if (!server) return;
      const fulls = [await server.take(), await server.take()] as const;
      const first = await server.take(fulls[0]);
      await server.engine.release(server.target, [fulls[0]], never);
      const second = await server.take(fulls[1]);
      await server.engine.release(server.target, [fulls[1]], never);
      await expect(server.take(first)).resolves.toBeDefined();
      await expect(server.take(second)).resolves.toBeDefined();
    });

    it('a database that is not there, or is another server’s, is found before the backup', async () => {
      const server = shared;
      if (!server) return;
      const full = await server.take();
      const { target } = server;
      const lost = { ...target, endpoint: { ...target.endpoint, database: 'lost' } };
      const refused = server.take(full, { target: lost });
      await expect(refused).rejects.toMatchObject({ ground: 'no-database-connection' });
      await expect(refused).rejects.toThrow(/database "lost" does not exist/);
      const patience = { connectMs: 10_000, answerMs: 10_000, beginMs: 10_000 };
      const opened = WalSummaries.open(target, patience, { signal: never, temporarySlot: 'strongroom_of_another' });
      await expect(opened).rejects.toMatchObject({ ground: 'no-database-connection' });
      await expect(opened).rejects.toThrow(/another server than the replication connection/);
    });

    it('what the server warns of while it gives a backup is kept with it', async () => {
      const server = shared;
      if (!server) return;
      const pipe = join(server.server.dataDirectory, 'pipe');
      await run('mkfifo', ['-m', '600', pipe]);
      const { warnings } = await server.facts(await server.take());
      await rm(pipe);
      expect(warnings).toEqual([{ said: expect.stringMatching(/^WARNING: .*special file.*pipe/) }]);
    });

    it('another server behind the address is told by its system id', async () => {
      const [server, other] = [shared, await filled({ version })];
      if (!server || !other) return;
      const full = await server.take();
      const behind = { ...server.target, endpoint: other.target.endpoint, password: other.target.password };
      await expect(server.take(full, { target: behind })).rejects.toMatchObject({ ground: 'another-server' });
      const now = await other.take();
      expect(server.engine.whyNoDescendant(await server.facts(full), await other.facts(now))).toMatch(/system id/);
    });

    it('a server that refuses connections to its database gives full backups, and tells which line of pg_hba.conf is missing', async () => {
      const server = shared;
      if (!server) return;
      const full = await server.take();
      const hba = join(server.server.dataDirectory, 'pg_hba.conf');
      const before = await readFile(hba, 'utf8');
      await writeFile(hba, 'host all postgres all scram-sha-256\nhost replication backup all scram-sha-256\n');
      await server.query('select pg_reload_conf()');
      await eventually(async () => expect(await server.whyNotIncremental()).toMatch(/pg_hba\.conf/), {
        withinMs: 10_000,
      });
      const refused = server.take(full);
      await expect(refused).rejects.toMatchObject({ ground: 'no-database-connection' });
      await expect(refused).rejects.toThrow(
        /pg_hba\.conf, such as: host postgres backup 127\.0\.0\.1\/32 scram-sha-256; .*Take a full backup/,
      );
      await expect(server.take()).resolves.toBeDefined();
      await writeFile(hba, before);
      await appendFile(hba, 'host postgres backup all scram-sha-256\n');
      await server.query('select pg_reload_conf()');
      await server.query('revoke execute on function pg_wal_summary_contents from public');
      await eventually(async () => expect(await server.whyNotIncremental()).toMatch(/permission denied/), {
        withinMs: 10_000,
      });
      await server.query('grant execute on function pg_wal_summary_contents to backup');
      expect(await server.whyNotIncremental()).toBeUndefined();
    });
  });

  it('a snapshot of the storage that was put back between two backups ends the chain, no matter how far its WAL has come', async () => {
    const server = await filled({ version });
    if (!server) return;
    const full = await server.take();
    const putBack = await server.snapshot();
    await server.query("update t set filling = 'a history that is lost' where id <= 5000");
    const first = await server.take(full);
    await server.restart(putBack);
    // The server does not know the newest backup yet, nor what came before it.
    await expect(server.take(first)).rejects.toMatchObject({ ground: 'snapshot-put-back' });
    await goOn(server);
    // Now its WAL has come further. System id, timeline and the full backup's replication slot are as they were.
    const refused = server.take(first);
    await expect(refused).rejects.toMatchObject({ ground: 'parent-slot-gone' });
    await expect(refused).rejects.toThrow(/put back to an earlier state/);
    // It does hold this one, so this one can be built on.
    const second = await server.take(full);
    const restored = await server.restored(second);
    expect(await contentsOf(restored.url())).toEqual(await contentsOf(server.server.url()));
  });

  it('a full backup completes without a free replication slot, and says that nothing can be built on it; the next one completes too', async () => {
    const server = await filled({ version, settings: { max_replication_slots: 1 } });
    if (!server) return;
    const full = await server.take();
    expect(await server.facts(full)).toMatchObject({ chainSlot: null, chainSlotGround: 'no-slot-free' });
    const refused = server.take(full);
    await expect(refused).rejects.toMatchObject({ ground: 'no-slot-free' });
    await expect(refused).rejects.toThrow(/max_replication_slots/);
    await expect(server.take()).resolves.toBeDefined();
    expect(await server.slots()).toEqual([]);
  });

  it('two replication slots are enough for a chain', async () => {
    const server = await filled({ version, settings: { max_replication_slots: 2 } });
    if (!server) return;
    let newest = await server.take();
    for (let time = 0; time < 3; time += 1) {
      const before = newest;
      newest = await server.take(before);
      await server.engine.release(server.target, [before], never);
      expect(await server.slots()).toEqual([replicationSlotOf(newest)]);
    }
  });

  it('without data checksums and wal_log_hints there are no incrementals, until one of them has held for the parent too', async () => {
    const server = await filled({ version, checksums: false });
    if (!server) return;
    expect(await server.whyNotIncremental()).toMatch(/wal_log_hints = on/);
    const full = await server.take();
    await expect(server.take(full)).rejects.toMatchObject({ ground: 'pages-change-without-wal' });
    await server.restart(undefined, { wal_log_hints: 'on' });
    expect(await server.whyNotIncremental()).toBeUndefined();
    await expect(server.take(full)).rejects.toMatchObject({ ground: 'pages-change-without-wal' });
    await expect(server.take(await server.take())).resolves.toBeDefined();
  });

  it('a server that is away is no ground: the attempt is made again, and stays incremental', async () => {
    const patience = { connectMs: 10_000, answerMs: 10_000, beginMs: 10_000 };
    const endpoint = { host: '127.0.0.1', port: 1, user: 'backup', database: 'postgres', tls: 'disable' as const };
    const target = { instanceId: randomUUID(), endpoint, password: 'x' };
    const opened = WalSummaries.open(target, patience, { signal: never });
    await expect(opened).rejects.toMatchObject({ code: 'server-unreachable', retryable: true });
  });

  it('summaries that were removed end the chain, and the server says so itself', async () => {
    const server = await filled({ version });
    if (!server) return;
    const full = await server.take();
    await goOn(server);
    const summaries = join(server.server.dataDirectory, 'pg_wal', 'summaries');
    await eventually(async () => expect(await readdir(summaries)).not.toEqual([]), { withinMs: 20_000 });
    await server.restart(async (data) => {
      for (const name of await readdir(join(data, 'pg_wal', 'summaries')))
        await rm(join(data, 'pg_wal', 'summaries', name));
      for (const name of await readdir(join(data, 'pg_wal')))
        if (/^0{8}1?/.test(name) && name < '000000010000000000000003') await rm(join(data, 'pg_wal', name));
    });
    await expect(server.take(full)).rejects.toMatchObject({ ground: 'summaries-missing' });
  });

  it('summarize_wal that was off for a while does no harm as long as the WAL of that time is there', async () => {
    const server = await filled({ version, settings: { wal_keep_size: '1GB' } });
    if (!server) return;
    const full = await server.take();
    await server.restart(undefined, { summarize_wal: 'off' });
    expect(await server.whyNotIncremental()).toMatch(/summarize_wal = on/);
    await expect(server.take(full)).rejects.toMatchObject({ ground: 'wal-not-summarized' });
    await server.query("update t set filling = 'while it was off' where id % 3 = 0");
    await server.restart(undefined, { summarize_wal: 'on' });
    const incremental = await server.take(full);
    const restored = await server.restored(incremental);
    expect(await contentsOf(restored.url())).toEqual(await contentsOf(server.server.url()));
  });

  it('a time of wal_level = minimal ends the chain: nothing of it is summarized', async () => {
    const server = await filled({ version });
    if (!server) return;
    const full = await server.take();
    await server.engine.release(server.target, [], never);
    const minimal = { wal_level: 'minimal', max_wal_senders: 0, summarize_wal: 'off' };
    // A server with replication slots does not start at that level. To set it, one drops them first, which ends the chain.
    await server.query(`select pg_drop_replication_slot('${replicationSlotOf(full)}')`);
    await server.restart(undefined, minimal);
    await server.query('create table unlogged_in_effect as select n from generate_series(1, 1000) n');
    await server.restart(undefined, { wal_level: 'replica', max_wal_senders: 10, summarize_wal: 'on' });
    await expect(server.take(full)).rejects.toMatchObject({ ground: 'parent-slot-gone' });
    await server.query(`select pg_create_physical_replication_slot('${replicationSlotOf(full)}')`);
    await expect(server.take(full)).rejects.toMatchObject({ ground: 'summaries-missing' });
  });
});

describe('data checksums', () => {
  it('that were turned on since end the chain', async () => {
    const tools = await postgresTools();
    if (!tools) return;
    await chmod(join(tools, 'pg_checksums'), 0o755);
    const server = await filled({ checksums: false, settings: { wal_log_hints: 'on' } });
    if (!server) return;
    const full = await server.take();
    await server.restart((data) => run(join(tools, 'pg_checksums'), ['--enable', '-D', data]));
    const refused = server.take(full);
    await expect(refused).rejects.toMatchObject({ ground: 'data-checksums-changed' });
    await expect(refused).rejects.toThrow(/Take a full backup/);
    const incremental = await server.take(await server.take());
    const restored = await server.restored(incremental);
    expect(await contentsOf(restored.url())).toEqual(await contentsOf(server.server.url()));
  });
});

describe('a version of PostgreSQL', () => {
  it.each<[PostgresVersion, string]>([
    ['17.7', '17.8'],
    ['18.1', '18.2'],
  ])('with known faults, %s, gives full backups, and is to be upgraded to %s', async (version, remedy) => {
    const server = await filled({ version });
    if (!server) return;
    expect(await server.whyNotIncremental()).toContain(`Upgrade it to ${remedy} or newer`);
    const full = await server.take();
    expect(await server.facts(full)).toMatchObject({ chainSlot: null, chainSlotGround: 'server-version-flawed' });
    await expect(server.take(full)).rejects.toMatchObject({ ground: 'server-version-flawed' });
    expect(await server.slots()).toEqual([]);
  });

  it.each<[PostgresVersion]>([['17.8'], ['18.2']])('that mends them, %s, gives incrementals', async (version) => {
    const server = await filled({ version });
    if (!server) return;
    await expect(server.take(await server.take())).resolves.toBeDefined();
  });

  it.each<[PostgresVersion]>([['15'], ['16']])('before 17, %s, gives full backups', async (version) => {
    const server = await start({ version });
    if (!server) return;
    const full = await server.take();
    await expect(server.take(full)).rejects.toMatchObject({ ground: 'version-too-old' });
  });
});

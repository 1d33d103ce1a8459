/** What real servers refuse, and whether what the fault advises helps. */
import { randomUUID } from 'node:crypto';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateAuthority, type Certified } from '../../../../test/services/certificates.js';
import { eventually } from '../../../../test/services/eventually.js';
import { rowsOf } from '../../../../test/services/tables.js';
import { BackedUpServer } from '../../fixtures/backed-up-server.js';
import type { EngineTarget } from '../engine.js';

const never = new AbortController().signal;
const long = 120_000;

async function messageOf(failing: Promise<unknown>): Promise<string> {
  const error: unknown = await failing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('it did not fail');
  return error.message;
}

describe('a server that refuses', () => {
  let server: BackedUpServer;
  beforeAll(async () => {
    const started = await BackedUpServer.start();
    if (!started) throw new Error('there is no server');
    server = started;
  }, long);
  afterAll(() => server.remove());

  it(
    'for want of a line in its pg_hba.conf is backed up when the line that the fault names is added',
    async () => {
      const hba = join(server.server.dataDirectory, 'pg_hba.conf');
      const before = await readFile(hba, 'utf8');
      await writeFile(hba, 'host all postgres 127.0.0.1/32 scram-sha-256\n');
      await server.query('select pg_reload_conf()');
      await eventually(async () => expect(await messageOf(server.take())).toContain('no pg_hba.conf entry'), {
        withinMs: 20_000,
      });
      const said = await messageOf(server.take());
      expect(said).toContain(`Tried: a replication connection to 127.0.0.1:${server.server.port} as "backup"`);
      const [, line = ''] = /such as: ([^;]+);/.exec(said) ?? [];
      await appendFile(hba, `${line}\n`);
      await server.query('select pg_reload_conf()');
      await eventually(async () => expect(await server.take()).toBeDefined(), { withinMs: 20_000 });
      await writeFile(hba, before);
      await server.query('select pg_reload_conf()');
    },
    long,
  );

  it.each([
    ['may not log in', 'nologin', 'credentials-refused', false],
    ['may not replicate', 'noreplication', 'backup-not-permitted', false],
  ])(
    'a role that %s lets it in when the command that the fault names was run',
    async (_, cannot, code, retryable) => {
      await server.query(`alter role backup ${cannot}`);
      await expect(server.take()).rejects.toMatchObject({ code, retryable });
      const [, command = ''] = /(ALTER ROLE "backup" \w+)/.exec(await messageOf(server.take())) ?? [];
      await server.query(command);
      await expect(server.take()).resolves.toBeDefined();
    },
    long,
  );

  it(
    'by an administrator who ends the connection is told as it was, without a guess at a setting',
    async () => {
      const backup = await server.engine.backup(server.target, { backupId: randomUUID(), signal: never });
      await server.query('select pg_terminate_backend(pid) from pg_stat_replication');
      const reading = (async () => {
        for await (const { source } of backup.objects) for await (const _ of source);
        await backup.result;
      })();
      const said = await messageOf(reading);
      await expect(reading).rejects.toMatchObject({ code: 'server-unreachable', retryable: true });
      expect(said).not.toContain('max_slot_wal_keep_size');
      expect(said).toContain(`127.0.0.1:${server.server.port}`);
    },
    long,
  );

  it(
    'to keep more WAL than max_slot_wal_keep_size is told by that name, with the numbers',
    async () => {
      await server.query("alter system set max_slot_wal_keep_size = '64MB'");
      await server.query('select pg_reload_conf()');
      await server.query(
        'create table if not exists ballast as select n, repeat(md5(n::text), 60) as filling from generate_series(1, 20000) n',
      );
      const backup = await server.engine.backup(server.target, { backupId: randomUUID(), signal: never });
      // The vault is slow: nobody reads, and the server writes on.
      for (let segment = 0; segment < 8; segment += 1) {
        await server.query("select pg_logical_emit_message(false, 'strongroom', 'x')");
        await server.query('select pg_switch_wal()');
      }
      await server.query('checkpoint');
      await eventually(async () => expect(await server.query('select * from pg_stat_replication')).toEqual([]), {
        withinMs: 30_000,
      });
      const reading = (async () => {
        for await (const { source } of backup.objects) for await (const _ of source);
        await backup.result;
      })();
      await expect(reading).rejects.toMatchObject({ code: 'backup-aborted-by-server', retryable: true });
      expect(await messageOf(reading)).toMatch(
        /has written \d+ MB of WAL .* no more than 64MB .*Raise max_slot_wal_keep_size/,
      );
      await server.query('alter system reset max_slot_wal_keep_size');
      await server.query('select pg_reload_conf()');
    },
    long,
  );

  it(
    'no setting of the role, of its database or of the server bends, holds up or ends a backup or an incremental',
    async () => {
      await server.query('create schema if not exists theirs');
      // Anybody's functions in the place of the server's own.
      await server.query(
        "create or replace function theirs.pg_available_wal_summaries() returns setof record language sql as 'select 1/0'",
      );
      await server.query(
        "create or replace function theirs.has_function_privilege(text, text) returns boolean language sql as 'select false'",
      );
      const hostile = {
        search_path: 'theirs, pg_catalog',
        statement_timeout: '1ms',
        lock_timeout: '1ms',
        idle_in_transaction_session_timeout: '1ms',
        idle_session_timeout: '1ms',
        // It counts from the beginning of the transaction in which it is turned off.
        transaction_timeout: '200ms',
        default_transaction_isolation: 'serializable',
        default_transaction_read_only: 'on',
        default_transaction_deferrable: 'on',
        datestyle: 'German, DMY',
        intervalstyle: 'sql_standard',
        timezone: 'Asia/Kathmandu',
        client_min_messages: 'error',
        client_encoding: 'LATIN1',
        bytea_output: 'escape',
        extra_float_digits: '-15',
        standard_conforming_strings: 'off',
        array_nulls: 'off',
      };
      const full = await server.take();
      for (const [name, value] of Object.entries(hostile)) {
        const to = name === 'search_path' ? value : `'${value}'`;
        for (const what of ['role backup', 'role backup in database postgres']) {
          await server.query(`alter ${what} set ${name} = ${to}`);
        }
      }
      await server.query('create table changed as select 1 as n');
      for (const name of ['client_min_messages', 'datestyle', 'bytea_output']) {
        await server.query(`alter system set ${name} = '${hostile[name as keyof typeof hostile]}'`);
      }
      // It holds for all sessions, the test's own among them: so it is the last that is set.
      await server.query("alter system set idle_session_timeout = '50ms'");
      await server.query('select pg_reload_conf()');
      const incremental = await server.take(full);
      expect(await server.facts(incremental)).toMatchObject({ limitBlocks: 'limit_blocks' });
      await expect(server.take()).resolves.toBeDefined();
      await server.query('alter role backup reset all');
      await server.query('alter role backup in database postgres reset all');
      await server.query('alter system reset all');
      await server.query('select pg_reload_conf()');
    },
    long,
  );
});

describe('a server that is not set up for backups', () => {
  let server: BackedUpServer | undefined;
  afterEach(() => server?.remove());

  it.each([
    [{ max_wal_senders: 0 }, 'Set max_wal_senders above 0', { max_wal_senders: 10 }],
    [{ max_replication_slots: 0 }, 'Set max_replication_slots above 0', { max_replication_slots: 10 }],
    [
      { wal_level: 'minimal', max_wal_senders: 0, summarize_wal: 'off' },
      'Set max_wal_senders above 0, and wal_level to replica or higher',
      { max_wal_senders: 10, wal_level: 'replica', summarize_wal: 'on' },
    ],
  ])(
    'with %p is backed up when what the fault names was set',
    async (settings, advice, cured) => {
      server = await BackedUpServer.start({ settings: settings as Record<string, string | number> });
      const refused = server?.take();
      await expect(refused).rejects.toMatchObject({ code: 'backup-not-permitted', retryable: false });
      await expect(refused).rejects.toThrow(advice);
      await server?.restart(async () => {}, cured);
      await expect(server?.take()).resolves.toBeDefined();
    },
    long,
  );

  it(
    'a standby whose primary has full_page_writes off says on which server it is to be turned on',
    async () => {
      server = await BackedUpServer.start({ settings: { full_page_writes: 'on' } });
      if (!server) return;
      await server.query('create table t as select generate_series(1, 1000) as n');
      const standby = await server.standby(await server.take());
      const target: EngineTarget = { ...server.target, endpoint: { ...server.target.endpoint, port: standby.port } };
      // The setting is on the command line of this server: it must be started anew.
      await server.restart(async () => {}, { full_page_writes: 'off' });
      await server.query('create table u as select generate_series(1, 1000) as n');
      await server.query('checkpoint');
      const [row] = await server.query('select pg_current_wal_lsn()::text as lsn');
      const isThere = `select pg_last_wal_replay_lsn() >= '${String(row?.lsn)}' as there`;
      await eventually(async () => expect(await rowsOf(standby.url(), isThere)).toEqual([{ there: true }]), {
        withinMs: 60_000,
      });
      const refused = server.engine.backup(target, { backupId: randomUUID(), signal: never });
      await expect(refused).rejects.toMatchObject({ code: 'backup-not-permitted', retryable: false });
      const said = await messageOf(refused);
      expect(said).toContain('full_page_writes');
      expect(said).toMatch(/Hint: .*on the primary/);
      expect(said).not.toContain('wal_level');
    },
    long,
  );
});

describe('a server whose certificate is not as it must be', () => {
  const authority = CertificateAuthority.create('authority of the server');
  const another = CertificateAuthority.create('another authority');
  const endpointOf = (more: Partial<EngineTarget['endpoint']> = {}): EngineTarget => ({
    ...server.target,
    endpoint: { ...server.target.endpoint, tls: 'verify-full', caCertificate: authority.certificate, ...more },
  });
  let server: BackedUpServer;
  beforeAll(async () => {
    const started = await BackedUpServer.start();
    if (!started) throw new Error('there is no server');
    server = started;
  }, long);
  afterAll(() => server.remove());

  async function shows({ certificate, key }: Certified): Promise<void> {
    const data = server.server.dataDirectory;
    await writeFile(join(data, 'server.crt'), certificate, { mode: 0o600 });
    await writeFile(join(data, 'server.key'), key, { mode: 0o600 });
    await BackedUpServer.ownedByServer(data);
    await server.restart(async () => {}, { ssl: 'on' });
  }

  it(
    'since it is for other names: it is told that it is trusted, and for which names it is',
    async () => {
      await shows(authority.issue({ name: 'db', hosts: ['db.example', '10.9.8.7'] }));
      const refused = server.take(null, { target: endpointOf({ host: 'localhost' }) });
      await expect(refused).rejects.toMatchObject({ code: 'server-not-trusted', retryable: false });
      const said = await messageOf(refused);
      expect(said).toContain('db.example');
      expect(said).toContain('is valid and is for other names');
      // Neither an authority nor less safety is the cure.
      expect(said).not.toMatch(/authority|"require"|NODE_EXTRA_CA_CERTS/);
    },
    long,
  );

  it(
    'since it has expired: it is to be renewed',
    async () => {
      await shows(authority.issue({ name: 'db', hosts: ['127.0.0.1'], expires: new Date(Date.now() - 60_000) }));
      const refused = server.take(null, { target: endpointOf() });
      await expect(refused).rejects.toMatchObject({ code: 'server-not-trusted', retryable: false });
      await expect(refused).rejects.toThrow('renew it');
    },
    long,
  );

  it(
    'since nobody here knows who signed it: that authority is to be trusted, and nothing is made less safe',
    async () => {
      await shows(authority.issue({ name: 'db', hosts: ['127.0.0.1'] }));
      for (const caCertificate of [another.certificate, null]) {
        const refused = server.take(null, { target: endpointOf({ caCertificate }) });
        await expect(refused).rejects.toMatchObject({ code: 'server-not-trusted', retryable: false });
        const said = await messageOf(refused);
        expect(said).toMatch(/authority .* is not known here/);
        expect(said).not.toContain('"require"');
      }
      await expect(server.take(null, { target: endpointOf() })).resolves.toBeDefined();
    },
    long,
  );

  it(
    'whose lines are for TLS only is told apart from one without a line',
    async () => {
      const hba = join(server.server.dataDirectory, 'pg_hba.conf');
      await writeFile(hba, 'host all postgres all scram-sha-256\nhostssl replication backup all scram-sha-256\n');
      await server.query('select pg_reload_conf()');
      const clear = endpointOf({ tls: 'disable', caCertificate: null });
      await eventually(
        async () => {
          const said = await messageOf(server.take(null, { target: clear }));
          expect(said).toMatch(/no pg_hba\.conf entry .* no encryption .*If it has a line that begins with hostssl/);
        },
        { withinMs: 20_000 },
      );
      await expect(server.take(null, { target: endpointOf() })).resolves.toBeDefined();
    },
    long,
  );
});

describe('a server on an IPv6 address', () => {
  let server: BackedUpServer | undefined;
  afterEach(() => server?.remove());

  it(
    'is backed up by its address, with brackets or without, and by a name that has both kinds',
    async () => {
      server = await BackedUpServer.start({ settings: { listen_addresses: '127.0.0.1,::1' } });
      for (const host of ['::1', '[::1]', 'localhost']) {
        const { target } = server ?? {};
        if (!target) throw new Error('there is no server');
        await expect(
          server?.take(null, { target: { ...target, endpoint: { ...target.endpoint, host } } }),
        ).resolves.toBeDefined();
      }
      const closed = { ...server?.target.endpoint, host: '::1', port: 1 };
      const target = { ...server?.target, endpoint: closed } as EngineTarget;
      await expect(server?.take(null, { target })).rejects.toThrow(
        'Tried: a replication connection to [::1]:1 as "backup"',
      );
    },
    long,
  );
});

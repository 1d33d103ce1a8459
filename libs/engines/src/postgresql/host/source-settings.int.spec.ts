/** Servers that are built here from backups of servers with any settings: nothing of them counts. */
import { randomUUID } from 'node:crypto';
import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rowsOf } from '../../../../../test/services/tables.js';
import { BackedUpServer } from '../../../fixtures/backed-up-server.js';
import { EngineFault } from '../../engine-fault.js';
import { openChain } from '../../restore-backup.js';
import type { HostedServer } from '../../server-host.js';

const long = 120_000;
const never = new AbortController().signal;

describe('a server that is built from a backup', () => {
  let source: BackedUpServer;
  let asItWas = '';
  const file = () => join(source.server.dataDirectory, 'postgresql.auto.conf');
  beforeAll(async () => {
    const started = await BackedUpServer.start();
    if (!started) throw new Error('there is no server');
    source = started;
    await source.query('create table t as select generate_series(1, 100) as n');
    await source.query('grant select on t to backup');
    await source.query("alter system set work_mem = '5MB'");
    asItWas = await readFile(file(), 'utf8');
  }, long);
  afterAll(() => source.remove());

  /** The source need not run with the settings: they are in its files, for its next start. */
  async function built(settings: string) {
    await writeFile(file(), asItWas);
    await appendFile(file(), `${settings}\n`);
    const backupId = await source.take();
    await writeFile(file(), asItWas);
    const folder = join(source.folder, `built-${randomUUID()}`);
    await mkdir(folder, { mode: 0o711 });
    const host = source.engine.serve(folder);
    const id = randomUUID();
    const build = await host.build(id, 1);
    if (!build) throw new Error('another attempt has begun');
    await source.engine.restore(await openChain(source.vault, backupId), build.directory, { standsAlone: true });
    const { directory } = await build.finish('DFW');
    return { folder, host, id, directory };
  }

  async function shown(server: HostedServer, name: string): Promise<unknown> {
    const { password } = source.target;
    const url = `postgres://backup:${password}@127.0.0.1:${server.port}/postgres`;
    expect(await rowsOf(url, 'select count(*)::int as rows from t')).toEqual([{ rows: 100 }]);
    return Object.values((await rowsOf(url, `show ${name}`))[0] ?? {})[0];
  }

  describe('of a source whose files ask for what can not be had here', () => {
    /** Each alone would keep a server from its start, or be shown by it. */
    const asked = [
      ['more memory than there is', "shared_buffers = '512GB'", 'shared_buffers', '128MB'],
      ['a locale that is not installed', "lc_messages = 'xx_XX.utf8'", 'lc_messages', 'C'],
      ['times of a locale that is not installed', "lc_time = 'xx_XX.utf8'", 'lc_time', 'C'],
      ['a time zone that is not known', "timezone = 'Mars/Olympus'", 'timezone', 'UTC'],
      ['a compression that is not built in', "wal_compression = 'lzma'", 'wal_compression', 'off'],
      ['a deeper stack than the limit', "max_stack_depth = '900MB'", 'max_stack_depth', '2MB'],
      ['libraries that are not there', "shared_preload_libraries = 'theirs'", 'work_mem', '4MB'],
      ['huge pages', 'huge_pages = on', 'huge_pages', 'off'],
      ['certificates elsewhere', "ssl = on\nssl_cert_file = '/etc/theirs.crt'", 'ssl', 'off'],
      ['an include that is not there', "include = '/etc/theirs.conf'", 'work_mem', '4MB'],
      ['a value that is none', "max_connections = 'many'", 'max_connections', '100'],
      ['a setting that is none', "no_such_setting = 'x'", 'work_mem', '4MB'],
      [
        'more reserved connections than connections',
        'superuser_reserved_connections = 1000',
        'superuser_reserved_connections',
        '3',
      ],
    ] as const;
    let server: HostedServer;
    beforeAll(async () => {
      const { host, id } = await built(asked.map(([, settings]) => settings).join('\n'));
      server = await host.start(id, { signal: never });
    }, long);
    afterAll(() => server?.stop());

    it.each(asked)('starts without %s', async (_, __, name, value) => {
      expect(await shown(server, name)).toBe(value);
    });
  });

  it(
    'holds as many connections, locks and prepared transactions as its source, within bounds',
    async () => {
      await source.restart(async () => {}, {
        max_connections: 217,
        max_prepared_transactions: 7,
        max_locks_per_transaction: 113,
        track_commit_timestamp: 'on',
      });
      await source.query("begin; insert into t values (0); prepare transaction 'kept'");
      const { host, id } = await built('');
      await source.query("rollback prepared 'kept'");
      const server = await host.start(id, { signal: never });
      try {
        expect(await shown(server, 'max_connections')).toBe('217');
        expect(await shown(server, 'max_prepared_transactions')).toBe('7');
        expect(await shown(server, 'max_locks_per_transaction')).toBe('113');
        expect(await shown(server, 'track_commit_timestamp')).toBe('on');
      } finally {
        await server.stop();
      }
    },
    long,
  );

  it(
    'is recovered before by a server that lets nobody in and runs nothing by itself, however old its transactions are',
    async () => {
      const { folder, id } = await built('');
      const [note, noted] = [join(folder, 'note'), join(folder, 'noted')];
      await writeFile(noted, '');
      await chmod(noted, 0o666);
      await writeFile(note, `#!/bin/sh\necho "$*" >>'${noted}'\nexec "$@"\n`);
      await chmod(note, 0o755);
      const server = await source.engine.serve(folder, { command: [note] }).start(id, { signal: never });
      await server.stop();
      const starts = (await readFile(noted, 'utf8')).trimEnd().split('\n');
      const [recovering = '', running = ''] = [starts[0], starts.at(-1)];
      const [, rules = ''] = /hba_file=(\S+)/.exec(recovering) ?? [];
      expect(await readFile(rules, 'utf8')).toBe('host all all all reject\n');
      for (const setting of ['', '_freeze_max_age', '_multixact_freeze_max_age']) {
        const value = setting === '' ? 'off' : '2000000000';
        expect(recovering).toContain(`-c autovacuum${setting}=${value}`);
      }
      expect(running).not.toMatch(/closed\.conf|autovacuum/);
    },
    long,
  );

  it(
    'that does not start says so in a sentence of ours, and what its log said is for the operator alone',
    async () => {
      const { host, id, directory } = await built('');
      // The server quotes the line in its log.
      await writeFile(join(directory, 'PG_VERSION'), 'the-secret-of-a-file\n');
      const error: unknown = await host.start(id, { signal: never }).catch((reason: unknown) => reason);
      if (!(error instanceof EngineFault)) throw new Error(`it ended with ${String(error)}`);
      expect(error.code).toBe('server-did-not-start');
      expect(error.message).not.toMatch(/secret|PG_VERSION|\/|FATAL/);
      expect(String(error.cause)).toContain('FATAL');
      expect(String(error.cause).length).toBeLessThan(2_000);
    },
    long,
  );
});

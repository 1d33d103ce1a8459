/** Servers that are built here from backups of servers whose settings do not hold on this machine. */
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rowsOf } from '../../../../../test/services/tables.js';
import { BackedUpServer } from '../../../fixtures/backed-up-server.js';
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
  async function built(settings: string, spoil: (data: string) => Promise<void> = async () => {}) {
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
    await spoil(directory);
    return { host, id, directory };
  }

  async function shown(server: HostedServer, name: string): Promise<unknown> {
    const { password } = source.target;
    const url = `postgres://backup:${password}@127.0.0.1:${server.port}/postgres`;
    expect(await rowsOf(url, 'select count(*)::int as rows from t')).toEqual([{ rows: 100 }]);
    return Object.values((await rowsOf(url, `show ${name}`))[0] ?? {})[0];
  }

  it.each([
    ['more memory than there is', "shared_buffers = '512GB'", 'shared_buffers', '128MB'],
    ['locales that are not installed', "lc_messages = 'xx_XX.utf8'\nlc_time = 'xx_XX.utf8'", 'lc_messages', 'C'],
    ['a time zone that is not known', "timezone = 'Mars/Olympus'", 'timezone', 'UTC'],
    ['a compression that is not built in', "wal_compression = 'lzma'", 'wal_compression', 'off'],
    ['a deeper stack than the limit', "max_stack_depth = '900MB'", 'max_stack_depth', '2MB'],
    ['libraries that are not there', "shared_preload_libraries = 'theirs'", 'work_mem', '5MB'],
    ['huge pages', 'huge_pages = on', 'huge_pages', 'try'],
    ['certificates elsewhere', "ssl = on\nssl_cert_file = '/etc/theirs.crt'", 'ssl', 'off'],
    ['an include that is not there', "include = '/etc/theirs.conf'", 'work_mem', '5MB'],
  ])(
    'starts though its source asks for %s',
    async (_, settings, name, value) => {
      const { host, id } = await built(settings);
      const server = await host.start(id, { signal: never });
      try {
        expect(await shown(server, name)).toBe(value);
        // What does no harm is as on the source.
        expect(await shown(server, 'work_mem')).toBe('5MB');
      } finally {
        await server.stop();
      }
    },
    long,
  );

  it.each([
    ["max_connections = 'many'", /invalid value for parameter "max_connections": "many"/],
    ["no_such_setting = 'x'", /unrecognized configuration parameter "no_such_setting"/],
    ['max_connections = 20\nsuperuser_reserved_connections = 20', /superuser_reserved_connections/],
  ])(
    'that does not start with %j says what the server’s log said, with the name of the setting',
    async (settings, said) => {
      const { host, id } = await built(settings);
      const refused = host.start(id, { signal: never });
      await expect(refused).rejects.toMatchObject({ code: 'server-did-not-start' });
      await expect(refused).rejects.toThrow(said);
      const error: unknown = await refused.catch((reason: unknown) => reason);
      expect(String(error).length).toBeLessThan(2_000);
    },
    long,
  );
});

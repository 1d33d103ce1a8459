import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresServer } from '@strongroom/server-processes';
import { verifiedByPostgres } from '../../../../../test/services/postgres-tools.js';
import { type PostgresVersion, postgresOfVersion } from '../../../../../test/services/postgres-versions.js';
import { contentsOf, rowsOf } from '../../../../../test/services/tables.js';
import { BackedUpServer } from '../../../fixtures/backed-up-server.js';
import { restoreHere } from '../../../fixtures/restore-here.js';

const combinations = (
  [
    ['15', '15'],
    ['16', '16'],
    ['17', '17'],
    ['18', undefined],
  ] as const
).flatMap(([name, version]) =>
  [true, false].map((checksums) => ({ name, version, checksums, with: checksums ? 'with' : 'without' })),
);

/** What a dump would name: roles, databases, tables, indexes, sequences, and where they lie. */
const catalogue = [
  'select rolname, rolsuper, rolcanlogin, rolpassword from pg_authid order by 1',
  'select datname, pg_encoding_to_char(encoding) as encoding, datcollate from pg_database order by 1',
  'select spcname from pg_tablespace order by 1',
  "select relname, relkind, relfilenode, reltablespace, relpersistence from pg_class where relnamespace = 'public'::regnamespace order by 1",
  'select loid, pageno, md5(data) as digest from pg_largeobject order by 1, 2',
  'select last_value from counter',
];
const catalogueOf = async (url: string) => Promise.all(catalogue.map((sql) => rowsOf(url, sql)));

describe.each(combinations)('backups of PostgreSQL $name $with checksums', ({ version, checksums }) => {
  let server: BackedUpServer | undefined;
  let fast: string;
  const backups: { id: string; contents: Record<string, unknown>; catalogue: unknown }[] = [];
  const strange = Buffer.from('stray \xe8', 'latin1');

  const remember = async (id: string) => {
    const url = server?.server.url() ?? '';
    backups.push({ id, contents: await contentsOf(url), catalogue: await catalogueOf(url) });
  };

  beforeAll(async () => {
    // Without page checksums hint bits must be logged: otherwise no incremental can be trusted.
    server = await BackedUpServer.start({
      version: version as PostgresVersion | undefined,
      checksums,
      settings: { wal_log_hints: 'on' },
    });
    if (!server) return;
    const sql = server.query.bind(server);
    fast = join(server.folder, 'fast');
    await mkdir(fast);
    await BackedUpServer.ownedByServer(fast);
    await sql(`create tablespace fast location '${fast}'`);
    await sql('create table orders (id integer primary key, text text)');
    await sql('insert into orders select n, repeat(md5(n::text), 5) from generate_series(1, 20000) n');
    await sql('create table quick (id integer, text text) tablespace fast');
    await sql('insert into quick select n, md5(n::text) from generate_series(1, 5000) n');
    await sql('create table cut as select * from orders');
    await sql('create table dropped as select * from quick');
    await sql('create sequence counter');
    await sql("select nextval('counter'), lo_from_bytea(0, 'large')");
    await sql('create database other');
    await sql('vacuum freeze');
    await writeFile(Buffer.concat([Buffer.from(`${server.server.dataDirectory}/`), strange]), 'not ours', {
      mode: 0o644,
    });
    const full = await server.take();
    await remember(full);
    if (version === '15' || version === '16') return;
    await sql("update orders set text = 'new' where id % 50 = 0");
    await sql('delete from cut where id > 3000');
    await sql('vacuum cut');
    await sql('insert into cut select n, repeat(md5(n::text), 3) from generate_series(1, 4000) n');
    await sql('drop table dropped');
    await sql("insert into quick select n, 'late' from generate_series(1, 3000) n");
    await sql("select nextval('counter')");
    await remember(await server.take(full));
  }, 120_000);
  afterAll(() => server?.remove());

  it('restore to servers that hold what their source held, tablespaces where they are wanted', async () => {
    if (!server) return;
    expect(backups).toHaveLength(version === '15' || version === '16' ? 1 : 2);
    for (const { id, contents, catalogue: expected } of backups) {
      const directory = join(server.folder, `restored-${id}`);
      const place = join(server.folder, `fast-${id}`);
      const { changed, warnings, outside } = await restoreHere({
        vault: server.vault,
        backupId: id,
        directory,
        places: new Map([[fast, place]]),
        standsAlone: true,
        checksPages: true,
      });
      expect(warnings).toEqual([]);
      expect(await readdir(Buffer.from(directory), { encoding: 'buffer' })).toContainEqual(strange);
      expect(outside).toEqual([place]);
      expect(changed.join('\n')).toContain('max_logical_replication_workers');
      if (version === undefined) await verifiedByPostgres(directory);
      await BackedUpServer.ownedByServer(place);
      const programs = version && (await postgresOfVersion(version));
      const restored = await PostgresServer.startOn(directory, {
        password: server.target.password,
        logFile: `${directory}.log`,
        ...(programs !== undefined && { programs }),
      });
      try {
        expect(await contentsOf(restored.url())).toEqual(contents);
        expect(await catalogueOf(restored.url())).toEqual(expected);
        expect(await rowsOf(restored.url(), 'show archive_mode')).toEqual([{ archive_mode: 'off' }]);
        expect(await rowsOf(restored.url('other'), 'select 1 as one')).toEqual([{ one: 1 }]);
      } finally {
        await restored.stop();
      }
    }
  }, 120_000);
});

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PostgresVersion } from '../../../../../test/services/postgres-versions.js';
import { contentsOf, rowsOf } from '../../../../../test/services/tables.js';
import { BackedUpServer } from '../../../fixtures/backed-up-server.js';

interface Kind {
  name: string;
  version?: PostgresVersion;
  checksums: boolean;
  settings: Record<string, string>;
  tables: string[];
}

const usual = ['cut', 'spaced', 'grown', 'rebuilt', 'moved', 'emptied', 'wide', 'now_logged', 'quiet'];
const kinds: Kind[] = [
  // One table has more pages than one page of the visibility map covers, which is a quarter of a gigabyte.
  { name: '18 with data checksums', checksums: true, settings: {}, tables: [...usual, 'late'] },
  // Between its first two backups the places in its WAL get longer, from 0/C000028 to 0/11000028.
  {
    name: '17 without, with wal_log_hints',
    version: '17',
    checksums: false,
    settings: { wal_log_hints: 'on' },
    tables: usual,
  },
];

describe.each(kinds)('a chain of four of PostgreSQL $name', ({ version, checksums, settings, tables }) => {
  const hasLate = tables.includes('late');
  let server: BackedUpServer | undefined;
  const ids: string[] = [];
  const expected: Record<string, unknown>[] = [];

  const urlOf = (url: string, database: string) => url.replace(/\/postgres$/, `/${database}`);
  const filling = (from: number, to: number) => `select n, repeat('x', 115) from generate_series(${from}, ${to}) n`;
  /** Loads rows in bulk, so that the table grows by more pages than it fills. */
  const load = (name: string, rows: number) =>
    `copy ${name} from program 'seq 1 ${rows} | sed "s/$/\\tyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy/"'`;

  async function seen(url: string): Promise<Record<string, unknown>> {
    const options = '-c enable_seqscan=off -c enable_bitmapscan=off -c max_parallel_workers_per_gather=0';
    const byIndex: Record<string, unknown> = {};
    for (const name of tables) {
      const sql = `select count(id), sum(id) from ${name} where id > 0`;
      byIndex[name] = await rowsOf(`${url}?options=${encodeURIComponent(options)}`, sql);
    }
    const claims = `select c.oid::regclass::text as name, v.t_ctid::text as row from pg_class c, lateral pg_check_visible(c.oid) v(t_ctid)
      where c.relkind in ('r', 'm', 't') union all
      select c.oid::regclass::text, v.t_ctid::text from pg_class c, lateral pg_check_frozen(c.oid) v(t_ctid) where c.relkind in ('r', 'm', 't')`;
    const wrong = await rowsOf(url, claims);
    await rowsOf(
      url,
      "select bt_index_check(i.indexrelid, true) from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam where a.amname = 'btree' and c.relpersistence <> 't'",
    );
    return { tables: await contentsOf(url), twin: await contentsOf(urlOf(url, 'twin')), byIndex, wrong };
  }

  beforeAll(async () => {
    server = await BackedUpServer.start({ ...(version && { version }), checksums, settings });
    if (!server) return;
    const backedUp = server;
    const sql = (text: string) => backedUp.query(text);
    const took = async () => {
      ids.push(await backedUp.take(ids.at(-1) ?? null));
      expected.push(await seen(backedUp.server.url()));
    };
    await sql('create extension pg_visibility');
    await sql('create extension amcheck');
    const space = join(backedUp.folder, 'space');
    await mkdir(space);
    await BackedUpServer.ownedByServer(space);
    await sql(`create tablespace one location '${space}'`);
    for (const name of tables) {
      const isUnlogged = name === 'now_logged';
      await sql(
        `create ${isUnlogged ? 'unlogged' : ''} table ${name} (id integer, filling text) ${name === 'spaced' ? 'tablespace one' : ''}`,
      );
      if (name === 'late') await sql('alter table late set (fillfactor = 10)');
      await sql(
        `insert into ${name} ${name === 'late' ? "select n, repeat('x', 700) from generate_series(1, 33000) n" : filling(1, 60_000)}`,
      );
      await sql(`create index on ${name} (id)`);
    }
    await sql('create sequence numbers');
    await sql('create database template_one');
    await sql('create database template_two');
    const inDatabase = (database: string, text: string) => rowsOf(urlOf(backedUp.server.url(), database), text);
    await inDatabase('template_one', `create table held as ${filling(1, 5_000)}`);
    await inDatabase('template_two', `create table held as ${filling(1, 3_000)}`);
    await sql('create database twin oid 70000 template template_one strategy file_copy');
    await sql('drop database template_one');
    await sql('vacuum freeze');
    await took();

    await sql('delete from cut where id > 25000');
    await sql('delete from spaced where id > 25000');
    await sql('vacuum cut, spaced');
    await sql(load('cut', 20_000));
    await sql(load('spaced', 20_000));
    if (hasLate) await sql('delete from late where id = 32900');
    await sql('update grown set id = id + 1 where id % 100 = 0');
    await sql('vacuum full rebuilt');
    await sql('alter table moved set tablespace one');
    await sql('truncate emptied');
    await sql('alter table now_logged set logged');
    await sql(
      "update wide set filling = (select string_agg(md5(n::text), '') from generate_series(1, 400) n) where id < 50",
    );
    await sql("select nextval('numbers') from generate_series(1, 40)");
    await sql('drop database twin');
    await sql('create database twin oid 70000 template template_two strategy file_copy');
    await sql('drop database template_two');
    await took();

    await sql('delete from cut where id > 10000');
    await sql('delete from spaced');
    await sql('vacuum cut, spaced');
    await sql(load('cut', 30_000));
    await sql(load('spaced', 45_000));
    await sql('alter table moved set tablespace pg_default');
    await sql('delete from moved where id % 3 = 0');
    await sql('alter database twin set tablespace one');
    await inDatabase('twin', 'delete from held where n % 2 = 0');
    await sql(load('emptied', 5_000));
    // The server goes on after a crash.
    await backedUp.server.kill();
    await backedUp.restart();
    await sql('delete from grown where id % 7 = 0');
    await took();

    await sql('delete from cut where id > 20000');
    await sql('vacuum cut');
    await sql('alter database twin set tablespace pg_default');
    await inDatabase('twin', 'delete from held where n % 5 = 0');
    if (hasLate) {
      await sql('vacuum late');
      await sql('delete from late where id = 5');
    }
    await sql(`insert into wide ${filling(1, 100)}`);
    await sql('cluster rebuilt using rebuilt_id_idx');
    await sql('truncate spaced');
    await sql(load('spaced', 3_000));
    await took();
  }, 300_000);
  afterAll(() => server?.remove());

  it.each([1, 2, 3])(
    'restores its member %i to what its server had, in tables, indexes and visibility maps',
    async (at) => {
      if (!server) return;
      const restored = await server.restored(ids[at] ?? '');
      expect(await seen(restored.url())).toEqual(expected[at]);
      expect(expected[at]?.wrong).toEqual([]);
      await restored.stop();
    },
    120_000,
  );
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { PostgresVersion } from '../../../../../test/services/postgres-versions.js';
import { rowsOf } from '../../../../../test/services/tables.js';
import { BackedUpServer } from '../../../fixtures/backed-up-server.js';

const versions: [string, PostgresVersion | undefined][] = [
  ['18', undefined],
  ['17', '17'],
];
const tables = ['account', 'churned'];

describe.each(versions)(
  'a chain of PostgreSQL %s that is taken while tables are written, cut and vacuumed',
  (_, version) => {
    let server: BackedUpServer | undefined;
    const ids: string[] = [];

    // The histories differ from run to run, so the test compares what is true of every state of the server.
    beforeAll(async () => {
      server = await BackedUpServer.start({ version, settings: { shared_buffers: '2MB', checkpoint_timeout: '30s' } });
      if (!server) return;
      const { server: source } = server;
      const sql = (text: string) => rowsOf(source.url(), text);
      await sql('create extension pg_visibility');
      await sql('create table account (id integer primary key, balance integer not null, filling text)');
      await sql("insert into account select n, 0, repeat('x', 300) from generate_series(1, 20000) n");
      await sql('create table churned (id bigint generated always as identity primary key, filling text)');
      await sql('create index on account (balance)');
      await sql('vacuum freeze');
      let goesOn = true;
      const loop = async (turn: (query: (text: string) => Promise<unknown>) => Promise<unknown>) => {
        const client = new pg.Client({ connectionString: source.url() });
        await client.connect();
        while (goesOn) await turn((text) => client.query(text));
        await client.end();
      };
      const some = (most: number) => Math.floor(Math.random() * most) + 1;
      const load = [
        loop((query) =>
          query(`with a as (update account set balance = balance - 1 where id = ${some(10_000)})
          update account set balance = balance + 1 where id = ${10_000 + some(10_000)}`),
        ),
        loop(async (query) => {
          await query(`insert into churned (filling) select repeat('y', 400) from generate_series(1, ${some(4_000)})`);
          await query(`delete from churned where id > (select max(id) - ${some(6_000)} from churned)`);
          await query('vacuum (truncate) churned');
        }),
        loop((query) => query('vacuum account')),
      ];
      for (let at = 0; at < 4; at += 1) ids.push(await server.take(ids.at(-1) ?? null));
      goesOn = false;
      await Promise.all(load);
      const was =
        'select vacuum_count > 3 as vacuumed, n_tup_upd + n_tup_del > 100 as written from pg_stat_user_tables';
      expect(await sql(was)).toEqual([
        { vacuumed: true, written: true },
        { vacuumed: true, written: true },
      ]);
    }, 300_000);
    afterAll(() => server?.remove());

    it.each([1, 2, 3])(
      'restores its member %i to one state, in tables, indexes and visibility maps',
      async (at) => {
        if (!server) return;
        const restored = await server.restored(ids[at] ?? '');
        const url = restored.url();
        expect(await rowsOf(url, 'select count(*)::int as count, sum(balance)::int as sum from account')).toEqual([
          { count: 20_000, sum: 0 },
        ]);
        const wrong = `select c.oid::regclass::text as name, t_ctid::text from pg_class c, lateral pg_check_visible(c.oid) v(t_ctid) where c.relkind in ('r', 'm', 't')
      union all select c.oid::regclass::text, t_ctid::text from pg_class c, lateral pg_check_frozen(c.oid) v(t_ctid) where c.relkind in ('r', 'm', 't')`;
        expect(await rowsOf(url, wrong)).toEqual([]);
        const byIndex = encodeURIComponent('-c enable_seqscan=off -c enable_bitmapscan=off');
        const byTable = encodeURIComponent(
          '-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off',
        );
        for (const name of tables) {
          const ids = `select count(id), sum(id) from ${name} where id > 0`;
          expect(await rowsOf(`${url}?options=${byIndex}`, ids)).toEqual(
            await rowsOf(`${url}?options=${byTable}`, ids),
          );
        }
        await restored.stop();
      },
      120_000,
    );
  },
);

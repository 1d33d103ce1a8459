import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../../../test/services/eventually.js';
import type { PostgresVersion } from '../../../../../test/services/postgres-versions.js';
import { contentsOf, rowsOf } from '../../../../../test/services/tables.js';
import { BackedUpServer } from '../../../fixtures/backed-up-server.js';
import { replicationSlotOf } from './replication-slot.js';

/** The project's own version 18, and the newest 17 that is available. */
const versions: [string, PostgresVersion | undefined][] = [
  ['18', undefined],
  ['17', '17'],
];

describe.each(versions)('an incremental backup of PostgreSQL %s', (_, version) => {
  let server: BackedUpServer | undefined;
  let full = '';
  let incremental = '';
  const filling = (from: number, to: number) => `select n, repeat('x', 115) from generate_series(${from}, ${to}) n`;
  const fork = { main: 0, fsm: 1, vm: 2 };
  /** The limits of a table, by fork. */
  const limits = new Map<string, Map<number, number>>();
  let lines: string[] = [];

  beforeAll(async () => {
    server = await BackedUpServer.start({ version });
    if (!server) return;
    const { query } = server;
    const sql = query.bind(server);
    for (const name of ['cut', 'deleted', 'quiet', 'emptied', 'dropped']) {
      await sql(`create table ${name} (id integer, filling text)`);
      await sql(`insert into ${name} ${filling(1, name === 'cut' ? 100_000 : 20_000)}`);
      await sql(`create index on ${name} (id)`);
    }
    await sql('create table late_change (id integer, filling text)');
    // The table has more pages than one page of the visibility map covers.
    await sql('alter table late_change set (fillfactor = 10)');
    await sql(`insert into late_change select n, repeat('x', 700) from generate_series(1, 33000) n`);
    await sql('create index on late_change (id)');
    await sql('vacuum freeze');
    await sql('checkpoint');
    full = await server.take();

    // Vacuum cuts it. A bulk load then lets it grow by more pages than it fills, and those are never logged.
    await sql('delete from cut where id > 25000');
    await sql('vacuum cut');
    await sql(
      `copy cut from program 'seq 1 20000 | sed "s/$/\\tyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy/"'`,
    );
    // There is no vacuum afterwards: what the map says of its pages is cleared without a trace in the WAL.
    await sql('delete from deleted where id % 2 = 0');
    await sql('truncate emptied');
    await sql('drop table dropped');
    await sql('delete from late_change where id = 32900');
    await sql('checkpoint');
    const files = await sql('select relname::text as name, relfilenode::text as file from pg_class');
    incremental = await server.take(full);
    lines = await server.limits(incremental);
    for (const { name, file } of files) {
      const of = lines.map((line) => line.split(' ')).filter(([, , relation]) => relation === String(file));
      limits.set(String(name), new Map(of.map(([, , , its, block]) => [Number(its), Number(block)])));
    }
  }, 120_000);
  afterAll(() => server?.remove());

  it('tells how far a table was cut, though it has grown again', async () => {
    if (!server) return;
    expect(limits.get('cut')?.get(fork.main)).toBeLessThan(500);
    const [size] = await server.query("select pg_relation_size('cut') / 8192 as blocks");
    expect(Number(size?.blocks)).toBeGreaterThan(500);
    // The limit is where pages with rows end, and not a page less.
    expect(limits.get('cut')?.get(fork.main)).toBeGreaterThan(400);
  });

  it('tells how far the visibility map of a table still holds that was changed', () => {
    if (!server) return;
    expect(limits.get('deleted')?.get(fork.vm)).toBe(0);
    expect(limits.get('late_change')?.get(fork.vm)).toBe(1);
    expect(limits.get('late_change')?.has(fork.main)).toBe(false);
  });

  it('tells nothing of a table that nobody touched', () => {
    if (!server) return;
    expect([...(limits.get('quiet') ?? [])]).toEqual([]);
  });

  it('begins with what it is of, and ends with how many there are', async () => {
    if (!server) return;
    const [was, is] = [await server.facts(full), await server.facts(incremental)];
    expect(lines[0]).toBe(`strongroom-limit-blocks/1 ${was.startLsn} ${is.startLsn} 1`);
    expect(lines.slice(-2)).toEqual([`end ${lines.length - 3}`, '']);
    expect(is).toMatchObject({ limitBlocks: 'limit_blocks', segmentBlocks: 131_072, blockSize: 8_192 });
    expect(was).toMatchObject({ limitBlocks: null });
  });

  it('leaves no connection behind, and no replication slot but the backups’ own', async () => {
    if (!server) return;
    const { query } = server;
    const left = "select 1 from pg_stat_activity where application_name = 'strongroom'";
    await eventually(async () => expect(await query.call(server, left)).toEqual([]), { withinMs: 10_000 });
    expect(new Set(await server.slots())).toEqual(new Set([full, incremental].map(replicationSlotOf)));
  });

  const asIndexesSay = async (url: string, tables: string[]) => {
    const options = '-c enable_seqscan=off -c enable_bitmapscan=off -c max_parallel_workers_per_gather=0';
    const counts: Record<string, unknown> = {};
    for (const name of tables) {
      const sql = `select count(id) from ${name} where id > 0`;
      counts[name] = await rowsOf(`${url}?options=${encodeURIComponent(options)}`, sql);
    }
    return counts;
  };

  it('restored, has every table as it was, also where only the indexes are read', async () => {
    if (!server) return;
    const restored = await server.restored(incremental);
    const tables = ['cut', 'deleted', 'quiet', 'emptied', 'late_change'];
    expect(await contentsOf(restored.url())).toEqual(await contentsOf(server.server.url()));
    expect(await asIndexesSay(restored.url(), tables)).toEqual(await asIndexesSay(server.server.url(), tables));
  });

  it('that an older version of Strongroom took, which tells no limits, has no visibility map that claims too much', async () => {
    if (!server) return;
    const restored = await server.restored(incremental, 'as of an older version');
    const tables = ['deleted', 'quiet', 'emptied', 'late_change'];
    expect(await asIndexesSay(restored.url(), tables)).toEqual(await asIndexesSay(server.server.url(), tables));
  });
});

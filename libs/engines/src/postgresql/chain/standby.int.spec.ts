import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PostgresServer } from '@strongroom/server-processes';
import { eventually } from '../../../../../test/services/eventually.js';
import type { PostgresVersion } from '../../../../../test/services/postgres-versions.js';
import { contentsOf, rowsOf } from '../../../../../test/services/tables.js';
import { BackedUpServer } from '../../../fixtures/backed-up-server.js';
import type { EngineTarget } from '../../engine.js';

const never = new AbortController().signal;
/** The project's own version 18, and the newest 17 that is available. */
const versions: [string, PostgresVersion | undefined][] = [
  ['18', undefined],
  ['17', '17'],
];

describe.each(versions)('a standby of PostgreSQL %s', (_, version) => {
  let primary: BackedUpServer | undefined;
  let standby: PostgresServer;
  let target: EngineTarget;
  let newest = '';

  const onStandby = (sql: string) => rowsOf(standby.url(), sql);
  async function replayed(): Promise<void> {
    const [row] = (await primary?.query('select pg_current_wal_lsn()::text as lsn')) ?? [];
    const isThere = `select pg_last_wal_replay_lsn() >= '${String(row?.lsn)}' as there`;
    await eventually(async () => expect(await onStandby(isThere)).toEqual([{ there: true }]), { withinMs: 20_000 });
  }

  beforeAll(async () => {
    primary = await BackedUpServer.start({ version });
    if (!primary) return;
    await primary.query('create table t (id integer primary key, filling text)');
    await primary.query("insert into t select n, repeat('x', 100) from generate_series(1, 20000) n");
    await primary.query('create table cut (id integer, filling text)');
    await primary.query("insert into cut select n, repeat('x', 115) from generate_series(1, 60000) n");
    await primary.query('create index on cut (id)');
    await primary.query('vacuum freeze');
    const of = await primary.take();
    standby = await primary.standby(of);
    target = { ...primary.target, endpoint: { ...primary.target.endpoint, port: standby.port } };
  }, 120_000);
  afterAll(() => primary?.remove());

  it('is backed up, full and incremental, and a second backup with nothing new does not count as an earlier state', async () => {
    if (!primary) return;
    await replayed();
    const full = await primary.take(null, { target });
    const again = await primary.take(null, { target });
    const [before, after] = [await primary.facts(full), await primary.facts(again)];
    expect(after.startLsn).toBe(before.startLsn);
    expect(primary.engine.whyNoDescendant(before, after)).toBeUndefined();
    await primary.query("update t set filling = 'changed' where id % 3 = 0");
    // Vacuum has cut it, and it grew again by pages that are never logged. What its map says of them is cleared without a trace.
    await primary.query('delete from cut where id > 25000');
    await primary.query('vacuum cut');
    const line = 'y'.repeat(100);
    await primary.query(`copy cut from program 'seq 1 20000 | sed "s/$/\\t${line}/"'`);
    await primary.query('delete from cut where id % 2 = 0');
    await primary.query('checkpoint');
    await replayed();
    newest = await primary.take(again, { target });
    expect(primary.engine.whyNoDescendant(after, await primary.facts(newest))).toBeUndefined();
    const restored = await primary.restoredAlone(newest);
    expect(await contentsOf(restored.url())).toEqual(await contentsOf(standby.url()));
    const byIndex = encodeURIComponent('-c enable_seqscan=off -c enable_bitmapscan=off');
    for (const name of ['t', 'cut']) {
      const sql = `select count(id), sum(id) from ${name} where id > 0`;
      expect(await rowsOf(`${restored.url()}?options=${byIndex}`, sql)).toEqual(await onStandby(sql));
    }
  }, 120_000);

  it('that was promoted is another timeline: the next backup is full, and descends from those before', async () => {
    if (!primary) return;
    // A backup that runs when the standby is promoted is no good, and leaves no replication slot.
    const slots = await onStandby('select slot_name::text from pg_replication_slots order by 1');
    const backup = await primary.engine.backup(target, { backupId: 'under way', signal: never });
    await onStandby('select pg_promote()');
    const reading = (async () => {
      for await (const { source } of backup.objects) for await (const _ of source);
    })();
    await expect(reading.then(() => backup.result)).rejects.toMatchObject({
      code: 'backup-aborted-by-server',
      message: expect.stringContaining('promoted'),
    });
    await eventually(
      async () => expect(await onStandby('select slot_name::text from pg_replication_slots order by 1')).toEqual(slots),
      { withinMs: 10_000 },
    );
    await expect(primary.take(newest, { target })).rejects.toMatchObject({ ground: 'timeline-changed' });
    const full = await primary.take(null, { target });
    const facts = await primary.facts(full);
    expect(facts).toMatchObject({ timeline: 2, timelineHistory: expect.stringMatching(/^1:[0-9A-F]+\/[0-9A-F]+$/) });
    expect(primary.engine.whyNoDescendant(await primary.facts(newest), facts)).toBeUndefined();
    // The old primary goes on alone, with a history of its own.
    await primary.query('select pg_switch_wal()');
    await primary.query("update t set filling = 'of the old primary'");
    const ofOld = await primary.facts(await primary.take());
    expect(primary.engine.whyNoDescendant(ofOld, facts)).toMatch(/left timeline 1 at/);
    expect(primary.engine.whyNoDescendant(facts, ofOld)).toMatch(/not known to have come from timeline 2/);
    await expect(primary.take(await primary.take(null, { target }), { target })).resolves.toBeDefined();
  }, 120_000);
});

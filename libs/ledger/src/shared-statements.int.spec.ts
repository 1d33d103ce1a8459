import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import { connectTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { hearStatements } from '../../../test/services/sent-statements.js';
import { deletion as deletionOf, ids } from '../fixtures/deletion.js';
import type { AppendRequest } from './append-request.js';
import { Ledger } from './ledger.js';

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
/** The statements that were sent. */
let sent: string[] = [];

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'shared-statements-spec' }));
  hearStatements(dataSource, (statement) => sent.push(statement));
  ledger = new Ledger(dataSource);
});

beforeEach(() => {
  sent = [];
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

const deletion = (more: Partial<AppendRequest> = {}) => deletionOf(ids.next(), 0, more);
const many = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, index) => make(index));
const howOften = (words: string) => sent.filter((query) => query.includes(words)).length;
const outcomesOf = async (requests: AppendRequest[]) =>
  (await Promise.all(requests.map((request) => ledger.append(request)))).map(({ outcome }) => outcome);
const used = async (key: string): Promise<unknown> =>
  dataSource.query('select used from ledger_quota where kind = $1 and key = $2', ['schedules-of-account', key]);

describe('appends that come at once', () => {
  it('share a statement though they count on one quota, and take exactly what it has', async () => {
    const key = ids.next();
    const quotas = [{ kind: 'schedules-of-account', key, by: 1, most: 30 }];
    const outcomes = await outcomesOf(many(50, () => deletion({ quotas })));
    expect(outcomes.filter((each) => each === 'appended')).toHaveLength(30);
    expect(outcomes.filter((each) => each === 'used-up')).toHaveLength(20);
    expect(await used(key)).toEqual([{ used: 30 }]);
    expect([1, 2, 3]).toContain(howOften('ledger_append'));
  });

  it('each have their own claims, releases, quotas and events, however many those are', async () => {
    const keys = many(3, () => ids.next());
    const claims = keys.map((key) => ({ kind: 'schedule-of-instance', key }));
    const holder = deletion({ claims });
    expect(await outcomesOf([holder, deletion()])).toEqual(['appended', 'appended']);
    const quotas = many(2, () => ({ kind: 'schedules-of-account', key: ids.next(), by: 2, most: 2 }));
    const [first, second] = [deletion(), deletion()];
    const freed = claims.slice(1);
    const outcomes = await outcomesOf([
      {
        ...holder,
        claims: [],
        expectedVersion: 1,
        events: [...first.events, ...second.events],
        releases: freed,
        quotas,
      },
      deletion({ claims: claims.slice(0, 1), quotas: quotas.slice(0, 1) }),
      deletion(),
    ]);
    expect(outcomes).toEqual(['appended', 'claimed', 'appended']);
    const held: unknown = await dataSource.query('select key from ledger_claim where key = any($1)', [keys]);
    expect(held).toEqual([{ key: keys[0] }]);
    for (const { key } of quotas) expect(await used(key)).toEqual([{ used: 2 }]);
    const written: unknown = await dataSource.query(
      'select id, version from ledger_event where stream = $1 and version > 1 order by position',
      [holder.stream],
    );
    expect(written).toEqual([first, second].map(({ events }, index) => ({ id: events[0]?.id, version: index + 2 })));
  });

  it('have what an earlier one of them was refused before it could take it', async () => {
    const key = ids.next();
    const quotas = [{ kind: 'schedules-of-account', key, by: 1, most: 1 }];
    const claims = [{ kind: 'schedule-of-instance', key: ids.next() }];
    // They go together. One is refused for its version, and has taken nothing of the quota.
    const outcomes = await outcomesOf([
      deletion({ claims }),
      deletion({ quotas, expectedVersion: 7 }),
      deletion({ quotas, claims: [{ kind: 'schedule-of-backup', key }] }),
      deletion({ quotas }),
    ]);
    expect(outcomes).toEqual(['appended', 'conflict', 'appended', 'used-up']);
    expect(await used(key)).toEqual([{ used: 1 }]);
    const twice = await outcomesOf([
      deletion(),
      deletion({ quotas: room(key, 2), claims }),
      deletion({ quotas: room(key, 2) }),
    ]);
    expect(twice).toEqual(['appended', 'claimed', 'appended']);
    expect(await used(key)).toEqual([{ used: 2 }]);
  });

  it('give back and take in one statement, and never count below nothing', async () => {
    const key = ids.next();
    const back = { quotas: [{ kind: 'schedules-of-account', key, by: -1, most: 0 }] };
    await outcomesOf([deletion(), ...many(3, () => deletion({ quotas: room(key, 9) }))]);
    expect(await outcomesOf([deletion(), deletion(back), deletion({ quotas: room(key, 9) }), deletion(back)])).toEqual(
      many(4, () => 'appended'),
    );
    expect(await used(key)).toEqual([{ used: 2 }]);
    await outcomesOf([deletion(), ...many(5, () => deletion(back))]);
    expect(await used(key)).toEqual([{ used: 0 }]);
  });
});

describe('reads of streams that come at once', () => {
  it('share a statement, and each gets its own stream', async () => {
    const made = many(40, () => deletion());
    await outcomesOf(made);
    sent = [];
    const streams = await Promise.all([...made, ...made, deletion()].map(({ stream }) => ledger.readStream(stream)));
    expect(streams.map((events) => events.map(({ stream }) => stream))).toEqual([
      ...[...made, ...made].map(({ stream }) => [stream]),
      [],
    ]);
    expect([1, 2]).toContain(howOften('from ledger_read'));
  });

  it('see what was appended before each of them was asked for', async () => {
    const append = async (request: AppendRequest) => {
      await ledger.append(request);
      return ledger.readStream(request.stream);
    };
    const streams = await Promise.all(many(60, () => append(deletion())));
    expect(streams.map(({ length }) => length)).toEqual(many(60, () => 1));
  });
});

describe('a statement of every request', () => {
  const scanned = z.array(z.object({ table: z.string(), scans: z.int() }));
  const scansIn = async (manager: EntityManager) => {
    const rows: unknown = await manager.query(
      // The table of roles has three rows.
      `select relname as "table", seq_scan::int as scans from pg_stat_xact_user_tables where relname <> 'ledger_writer'`,
    );
    return new Map(scanned.parse(rows).map(({ table, scans }) => [table, scans]));
  };
  /** The tables that the work reads from end to end. */
  const readWholeBy = (work: (manager: EntityManager) => Promise<unknown>) =>
    dataSource.transaction(async (manager) => {
      const before = await scansIn(manager);
      await work(manager);
      return [...(await scansIn(manager))]
        .filter(([name, scans]) => scans > (before.get(name) ?? 0))
        .map(([name]) => name);
    });
  const asked = (key: string) => JSON.stringify([{ place: 0, accountId: 'acme', key }]);

  it('reads no table from end to end, though the table is small and nothing is known of it', async () => {
    const { stream } = deletion();
    const keeps = { accountId: 'acme', key: ids.next(), fingerprint: 'ab', resourceId: ids.next() };
    const claims = [{ kind: 'idempotency-key', key: `acme/${keeps.key}` }];
    const quotas = room(ids.next(), 9);
    for (const work of [
      (on: EntityManager) => ledger.readSome(on, [stream]),
      (on: EntityManager) => ledger.appendWithin(on, [deletion({ keeps, claims, quotas })]),
      (on: EntityManager) => on.query(`select * from request_find($1, now(), '1 day')`, [asked(keeps.key)]),
      (on: EntityManager) =>
        on.query('select * from request_refuse($1)', [
          JSON.stringify([{ ...keeps, place: 0, fingerprints: ['ab'], status: 404, body: '{}' }]),
        ]),
    ]) {
      expect(await readWholeBy(work)).toEqual([]);
    }
  });

  it('reads of the events that a relay has before it no more than it takes', async () => {
    await outcomesOf(many(300, () => deletion()));
    const read = await dataSource.transaction(async (manager) => {
      const fetched = async () =>
        z.array(z.object({ fetched: z.coerce.number() })).parse(
          await manager.query(
            `select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as fetched
               from pg_stat_xact_user_tables where relname = 'ledger_event'`,
          ),
        )[0]?.fetched ?? 0;
      const before = await fetched();
      expect(await manager.query(`select * from ledger_next_of_kind('schedule', 0, 5)`)).toHaveLength(5);
      return (await fetched()) - before;
    });
    expect(read).toBe(5);
  });

  it('reads streams by its own session alone, however large a ledger without statistics is taken for', async () => {
    // A session that has read before keeps its plan.
    const fresh = await openDataSource({ url: database.url, applicationName: 'one-process-spec' });
    const launched = async () => {
      const rows: unknown = await dataSource.query(
        'select parallel_workers_to_launch as launched from pg_stat_database where datname = current_database()',
      );
      return z.array(z.object({ launched: z.coerce.number() })).parse(rows)[0]?.launched ?? 0;
    };
    /** How many workers the database starts where they seem to cost nothing, as beside the read of a huge table. */
    const workersFor = async (work: (manager: EntityManager) => Promise<unknown>) => {
      const before = await launched();
      await fresh.transaction(async (manager) => {
        for (const cost of ['parallel_setup_cost', 'parallel_tuple_cost', 'min_parallel_table_scan_size'])
          await manager.query(`set local ${cost} = 0`);
        await work(manager);
        await manager.query('select pg_stat_force_next_flush()');
      });
      return (await launched()) - before;
    };
    try {
      expect(await workersFor((on) => on.query('select count(*) from ledger_event'))).toBeGreaterThan(0);
      expect(await workersFor((on) => ledger.readSome(on, ['a', 'b']))).toBe(0);
    } finally {
      await fresh.destroy();
    }
  });

  it('is told apart from one that reads a table from end to end', async () => {
    expect(await readWholeBy((on) => on.query('select count(*) from ledger_event'))).toEqual(['ledger_event']);
  });
});

function room(key: string, most: number) {
  return [{ kind: 'schedules-of-account', key, by: 1, most }];
}

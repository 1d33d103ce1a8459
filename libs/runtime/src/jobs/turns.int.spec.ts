import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { v7 } from 'uuid';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { type JobQuota, Jobs, type LeasedJob, type LeaseLimits, type NewJob } from './jobs.js';

describe('jobs', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let jobs: Jobs;
  beforeAll(async () => {
    ({ database, dataSource } = await connectTestDatabase({ applicationName: 'turns-spec' }));
    jobs = new Jobs(dataSource);
  });
  beforeEach(() => dataSource.query('truncate job, job_turn'));
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const minute = 60_000;
  const copy = (more: Partial<NewJob> = {}): NewJob => ({
    kind: 'copy',
    id: v7(),
    lane: 'IAD',
    accountId: '1234',
    ...more,
  });
  const add = (...added: NewJob[]) => dataSource.transaction((manager) => jobs.add(manager, added));
  const lease = (owner: string, limit = 10) => jobs.lease('copy', 'IAD', owner, limit, minute);
  /** As when the holder has been away for longer than its lease. */
  const lapse = (id: string) =>
    dataSource.query(`update job set lease_until = now() - interval '1 ms' where id = $1`, [id]);

  /** How many rows of jobs one look for jobs of 'IAD' reads, and what it finds. */
  const lookedAt = () =>
    dataSource.transaction(async (manager) => {
      const readSoFar = async (): Promise<number> => {
        const [row] = await manager.query(
          `select (seq_tup_read + idx_tup_fetch)::int as rows from pg_stat_xact_user_tables where relname = 'job'`,
        );
        return row.rows;
      };
      const before = await readSoFar();
      const leased: { account_id: string }[] = await manager.query(
        `select * from job_lease('copy', 'IAD', 'any', 'this version', 4, 60000, '{}', null, '{}', null)`,
      );
      return { accounts: leased.map(({ account_id }) => account_id), rows: (await readSoFar()) - before };
    });

  it('that wait for a later time, however many, are not looked at when others are asked for', async () => {
    const readyAt = new Date(Date.now() + 50 * minute);
    await add(...Array.from({ length: 10_000 }, () => copy({ readyAt })));
    expect(await lookedAt()).toEqual({ accounts: [], rows: 0 });
  }, 60_000);

  describe('of several accounts', () => {
    const of = (accountId: string, count: number) => Array.from({ length: count }, () => copy({ accountId }));
    const accounts = (leased: readonly LeasedJob[]) => leased.map(({ accountId }) => accountId);
    /** Leases one job after the other, and holds each. */
    const turns = async (count: number, quota: JobQuota = { usual: null, byAccount: new Map() }) => {
      const leased: LeasedJob[] = [];
      while (leased.length < count) {
        leased.push(...(await jobs.lease('copy', 'IAD', `worker ${leased.length}`, 1, minute, { quota })));
      }
      return accounts(leased);
    };

    it('take turns: an account with thousands of jobs keeps no other waiting for more than one of them', async () => {
      await add(...of('crowd', 3_000));
      await turns(2);
      await add(...of('anna', 2), ...of('zoe', 1));
      expect(await turns(6)).toEqual(['zoe', 'anna', 'crowd', 'anna', 'crowd', 'crowd']);
    }, 60_000);

    it('take turns when several are leased at a time, and the circle goes on where it was', async () => {
      await add(...of('anna', 3), ...of('bob', 1), ...of('crowd', 9), ...of('dora', 2));
      expect(accounts(await lease('a', 5))).toEqual(['anna', 'bob', 'crowd', 'dora', 'anna']);
      expect(accounts(await lease('b', 4))).toEqual(['crowd', 'dora', 'anna', 'crowd']);
      expect(accounts(await lease('c', 100))).toEqual(Array(6).fill('crowd'));
    });

    it('cost the same to lease however many wait, and however many accounts they are of', async () => {
      const again = 'update job set lease_owner = null, lease_until = null';
      await add(...of('anna', 2), ...of('bob', 2));
      // A session goes on with the plans that it made when the table was small, and known to be.
      await dataSource.query('analyze job');
      let few = await lookedAt();
      for (let look = 0; look < 10; look += 1) {
        await dataSource.query(again);
        few = await lookedAt();
      }
      await dataSource.query(again);
      await add(...of('anna', 5_000), ...of('bob', 5_000));
      const many = await lookedAt();
      expect(many.accounts).toHaveLength(few.accounts.length);
      expect(many.rows).toBeLessThan(few.rows + 50);
    }, 60_000);

    it('are found though thousands of accounts wait for a later time', async () => {
      const readyAt = new Date(Date.now() + 50 * minute);
      await add(...Array.from({ length: 2_500 }, (_, n) => copy({ accountId: `later-${n}`, readyAt })));
      await add(copy({ accountId: 'later-24990' }), copy({ accountId: 'zoe' }));
      const found: string[] = [];
      for (let look = 0; look < 4; look += 1) found.push(...accounts(await lease('a')));
      expect(found.sort()).toEqual(['later-24990', 'zoe']);
    }, 60_000);

    it('wait as long as their account has as many in hand as its quota allows, and never hold up another', async () => {
      await add(...of('anna', 4), ...of('bob', 4), ...of('crowd', 4));
      const quota: JobQuota = {
        usual: 2,
        byAccount: new Map([
          ['bob', 1],
          ['crowd', null],
        ]),
      };
      const first = await jobs.lease('copy', 'IAD', 'a', 100, minute, { quota });
      expect(accounts(first).sort()).toEqual(['anna', 'anna', 'bob', 'crowd', 'crowd', 'crowd', 'crowd']);
      expect(await jobs.lease('copy', 'IAD', 'b', 100, minute, { quota })).toEqual([]);
      const [ofBob] = first.filter(({ accountId }) => accountId === 'bob');
      if (ofBob) await jobs.finish(ofBob);
      expect(accounts(await jobs.lease('copy', 'IAD', 'b', 100, minute, { quota }))).toEqual(['bob']);
    });

    it('never exceed a quota together, however many processes lease at once, and have one in each lane', async () => {
      await add(...of('anna', 30), ...of('anna', 30).map((job) => ({ ...job, lane: 'ORD' })));
      const quota: JobQuota = { usual: 3, byAccount: new Map() };
      const leased = await Promise.all(
        Array.from({ length: 12 }, (_, n) =>
          jobs.lease('copy', n % 2 ? 'IAD' : 'ORD', `worker ${n}`, 2, minute, { quota }),
        ),
      );
      const lanes = leased.flat().map(({ lane }) => lane);
      expect(lanes.sort()).toEqual(['IAD', 'IAD', 'IAD', 'ORD', 'ORD', 'ORD']);
    });

    it('that a region never ends leave to their account what it may have in another region', async () => {
      await add(...of('anna', 9), ...of('anna', 9).map((job) => ({ ...job, lane: 'ORD' })));
      const limits: LeaseLimits = { quota: { usual: 2, byAccount: new Map() }, share: 2 };
      const hanging = await jobs.lease('copy', 'ORD', 'a', 9, minute, limits);
      expect(hanging).toHaveLength(2);
      for (let copies = 0; copies < 3; copies += 1) {
        const leased = await jobs.lease('copy', 'IAD', 'a', 9, minute, limits);
        expect(leased).toHaveLength(2);
        for (const job of leased) await jobs.finish(job);
      }
      expect(await jobs.lease('copy', 'ORD', 'b', 9, minute, limits)).toEqual([]);
    });

    /** Leases one job as a process does that is slow to commit. */
    async function leasing(quota: number | null) {
      // Whoever makes these rows is waited for all the same.
      await dataSource.query(`insert into job_turn (kind, lane) values ('copy', 'IAD')`);
      const run = dataSource.createQueryRunner();
      await run.startTransaction();
      const leased: { account_id: string }[] = await run.query(
        `select * from job_lease('copy', 'IAD', 'slow', 'this version', 1, 60000, '{}', $1, '{}', null)`,
        [quota],
      );
      return {
        accounts: leased.map(({ account_id }) => account_id),
        commit: async () => {
          await run.commitTransaction();
          await run.release();
        },
      };
    }
    const oneWaits = () =>
      eventually(
        async () => {
          const waiting: unknown[] = await dataSource.query(
            `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%job_lease%'`,
          );
          expect(waiting).toHaveLength(1);
        },
        { withinMs: 20_000 },
      );

    it('do not exceed a quota though one is leased, and not committed, while the lane is asked for another one', async () => {
      await add(...of('anna', 2));
      const slow = await leasing(1);
      const other = jobs.lease('copy', 'IAD', 'fast', 1, minute, { quota: { usual: 1, byAccount: new Map() } });
      await Promise.race([other, oneWaits()]);
      await slow.commit();
      expect([slow.accounts, accounts(await other)]).toEqual([['anna'], []]);
    }, 60_000);

    it('take turns though the turn before has not been committed yet', async () => {
      await add(...of('anna', 2), ...of('bob', 1));
      const slow = await leasing(null);
      const other = lease('fast', 1);
      await Promise.race([other, oneWaits()]);
      await slow.commit();
      expect([slow.accounts, accounts(await other)]).toEqual([['anna'], ['bob']]);
    }, 60_000);

    it('leave a slot of each process to other accounts, though one account could fill them all', async () => {
      await add(...of('crowd', 9));
      const four = (owner: string, more: LeaseLimits = {}) =>
        jobs.lease('copy', 'IAD', owner, 4, minute, { share: 3, ...more });
      expect(await four('a')).toHaveLength(3);
      expect(await four('a')).toEqual([]);
      await add(...of('anna', 1));
      expect(accounts(await four('a'))).toEqual(['anna']);
      expect(await four('b')).toHaveLength(3);
    });

    it('whose holder was lost do not count against the quota', async () => {
      await add(...of('anna', 2));
      const quota: JobQuota = { usual: 1, byAccount: new Map() };
      const [lost] = await jobs.lease('copy', 'IAD', 'a', 1, minute, { quota });
      await lapse(lost?.id ?? '');
      expect(await jobs.lease('copy', 'IAD', 'b', 1, minute, { quota })).toMatchObject([{ id: lost?.id, attempt: 2 }]);
    });
  });
});

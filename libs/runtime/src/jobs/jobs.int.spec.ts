import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { v7 } from 'uuid';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { Jobs, type LeasedJob, type NewJob } from './jobs.js';
import { MovingJobs } from './moving-jobs.js';

describe('jobs', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let jobs: Jobs;

  beforeAll(async () => {
    ({ database, dataSource } = await connectTestDatabase({ applicationName: 'jobs-spec' }));
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
  const lease = (owner: string, limit = 10, lane = 'IAD') => jobs.lease('copy', lane, owner, limit, minute);
  const leaseOne = async (owner: string): Promise<LeasedJob> => {
    const [job] = await lease(owner, 1);
    if (!job) throw new Error('there was no job to lease');
    return job;
  };
  /** As when the holder has been away for longer than its lease. */
  const lapse = (id: string) =>
    dataSource.query(`update job set lease_until = now() - interval '1 ms' where id = $1`, [id]);

  it('are never held by two workers, however many ask at once', async () => {
    const added = Array.from({ length: 200 }, () => copy());
    await add(...added);
    const worker = async (owner: string) => {
      const held: string[] = [];
      for (;;) {
        const leased = await lease(owner, 7);
        if (leased.length === 0) return held;
        held.push(...leased.map(({ id }) => id));
      }
    };
    const held = (await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(worker))).flat();
    // A worker that finds every free row locked by others gets no job; its next try finds what is left.
    held.push(...(await worker('g')));
    expect(held).toHaveLength(200);
    expect(new Set(held)).toEqual(new Set(added.map(({ id }) => id)));
  });

  it('pass on when their lease lapses, and the old holder can no longer do anything to them', async () => {
    const { id } = copy();
    await add(copy({ id, totalBytes: 500 }));
    const lost = await leaseOne('a');
    expect(await lease('b')).toEqual([]);
    await lapse(id);
    const held = await leaseOne('b');
    const of = { kind: 'copy', id, lane: 'IAD', accountId: '1234' };
    expect(held).toEqual({ ...of, owner: 'b', attempt: 2, failures: 1, asked: 1 });

    expect(await jobs.renew(lost, minute, { doneBytes: 400 })).toBe(false);
    await jobs.finish(lost);
    await jobs.retryIn(lost, 0);
    expect(await lease('c')).toEqual([]);
    expect(await jobs.progress('copy', [id])).toEqual(new Map([[id, { doneBytes: 0, totalBytes: 500 }]]));
    expect(await jobs.renew(held, minute)).toBe(true);
  });

  it('are fenced from an earlier lease of the same worker too', async () => {
    const { id } = copy();
    await add(copy({ id }));
    const first = await leaseOne('a');
    await lapse(id);
    const second = await leaseOne('a');
    expect(await jobs.renew(first, minute)).toBe(false);
    expect(await jobs.renew(second, minute)).toBe(true);
  });

  it('stay with a holder that renews late, as long as nobody else took them', async () => {
    const { id } = copy();
    await add(copy({ id }));
    const job = await leaseOne('a');
    await lapse(id);
    expect(await jobs.renew(job, minute)).toBe(true);
    expect(await lease('b')).toEqual([]);
  });

  it('tell how often they failed: holders that were lost or failed count, those that gave them back do not', async () => {
    await add(copy());
    await jobs.retryIn(await leaseOne('a'), 0);
    const waited = await leaseOne('b');
    expect(waited).toMatchObject({ attempt: 2, failures: 0 });
    await jobs.retryIn(waited, 0, true);
    const failed = await leaseOne('c');
    expect(failed).toMatchObject({ attempt: 3, failures: 1 });
    await lapse(failed.id);
    expect(await leaseOne('d')).toMatchObject({ attempt: 4, failures: 2 });
  });

  it('asked for anew at the moment when their holder ends are ready at once, and did not fail', async () => {
    const asked = copy();
    await add(asked);
    const held = await leaseOne('a');
    let finished: Promise<void> | undefined;
    await dataSource.transaction(async (manager) => {
      await jobs.add(manager, [asked]);
      finished = jobs.finish(held);
      const waiting = `select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`;
      await eventually(async () => expect(await dataSource.query(waiting, [database.name])).toHaveLength(1), {
        withinMs: 20_000,
      });
    });
    await finished;
    expect(await leaseOne('b')).toMatchObject({ id: asked.id, attempt: 2, failures: 0 });
  });

  it('asked for anew while they were done begin without failures, and their attempts go on rising', async () => {
    const { id } = copy();
    await add(copy({ id }));
    await jobs.retryIn(await leaseOne('a'), 0, true);
    const job = await leaseOne('a');
    await add(copy({ id }));
    await jobs.finish(job);
    expect(await leaseOne('a')).toMatchObject({ id, attempt: 3, failures: 0 });
    expect(await jobs.renew(job, minute)).toBe(false);
  });

  it('are gone when finished', async () => {
    await add(copy());
    const job = await leaseOne('a');
    await jobs.finish(job);
    expect(await jobs.renew(job, minute)).toBe(false);
    await lapse(job.id);
    expect(await lease('b')).toEqual([]);
    expect(await jobs.progress('copy', [job.id])).toEqual(new Map());
  });

  it('given back are ready after the given while, by the clock of the database, and not before', async () => {
    await add(copy());
    const job = await leaseOne('a');
    await jobs.retryIn(job, minute);
    expect(await lease('b')).toEqual([]);
    const [row] = await dataSource.query('select extract(epoch from ready_at - now())::float8 * 1000 as ms from job');
    expect(row.ms).toBeLessThanOrEqual(minute);
    expect(row.ms).toBeGreaterThan(minute / 2);
    await dataSource.query('update job set ready_at = now()');
    expect(await leaseOne('b')).toMatchObject({ id: job.id, attempt: 2 });
    expect(await jobs.renew(job, minute)).toBe(false);
  });

  /** As when the database's clock was ahead while all of it was written, and has been put right. */
  const clockPutBack = (ms: number) =>
    dataSource.query(
      `update job set lease_until = lease_until + $1 * interval '1 ms', ready_at = ready_at + $1 * interval '1 ms',
         paused_at = paused_at + $1 * interval '1 ms'`,
      [ms],
    );
  const hour = 60 * minute;

  it('whose lease was made by a clock that was ahead pass on too, and count as waiting', async () => {
    await add(copy());
    const job = await leaseOne('killed');
    await clockPutBack(8 * hour);
    expect(await jobs.load('copy')).toMatchObject([{ waiting: 1, held: 0, deferred: 0, oldestWaitMs: 0 }]);
    expect(await leaseOne('heir')).toMatchObject({ id: job.id, attempt: 2, failures: 1 });
    expect(await jobs.renew(job, minute)).toBe(false);
  });

  it('stay with a holder that renews, though the clock was put back', async () => {
    await add(copy());
    const job = await leaseOne('a');
    await clockPutBack(8 * hour);
    expect(await jobs.renew(job, minute)).toBe(true);
    expect(await lease('b')).toEqual([]);
  });

  it('held while the clock was put back by less than the lease stay held, for at most that much longer', async () => {
    await add(copy());
    await leaseOne('a');
    await dataSource.query(`update job set lease_until = lease_until - interval '30 s'`);
    await clockPutBack(20_000);
    expect(await lease('b')).toEqual([]);
  });

  it('whose pause was made by a clock that was ahead are ready, and those put off for as long by intent are not', async () => {
    const paused = copy();
    await add(paused);
    await jobs.retryIn(await leaseOne('a'), minute);
    const added = copy();
    await add(added);
    await clockPutBack(8 * hour);
    await add(copy({ readyAt: new Date(Date.now() + 8 * hour) }));
    expect(await jobs.load('copy')).toMatchObject([{ waiting: 2, deferred: 1, oldestWaitMs: 0 }]);
    expect((await lease('b')).map(({ id }) => id).sort()).toEqual([paused.id, added.id].sort());
  });

  it('passed over by one version are ready for another at once, and for the same one after a minute', async () => {
    await add(copy());
    const [older, sameAge, newer] = ['older', 'older', 'newer'].map((reader) => new Jobs(dataSource, reader));
    const leaseBy = async (by: Jobs | undefined) => (await by?.lease('copy', 'IAD', 'any', 10, minute)) ?? [];
    const [first] = await leaseBy(older);
    if (first) await older?.passOver(first);
    expect(await leaseBy(older)).toEqual([]);
    expect(await leaseBy(sameAge)).toEqual([]);
    const [second] = await leaseBy(newer);
    expect(second).toMatchObject({ attempt: 2, failures: 0, passedBy: ['older'] });
    if (second) await newer?.retryIn(second, 0);
    await dataSource.query(`update job set passed_until = passed_until - interval '1 minute'`);
    const [third] = await leaseBy(sameAge);
    expect(third).toMatchObject({ attempt: 3, failures: 0 });
    expect(third && sameAge?.hasPassedOver(third)).toBe(true);
  });

  it('leased by an older version, which told no length, are held for an hour at most', async () => {
    await add(copy());
    await leaseOne('a');
    await dataSource.query(`update job set lease_until = lease_until + interval '30 minutes', lease_ms = null`);
    expect(await lease('b')).toEqual([]);
    await dataSource.query(`update job set lease_until = lease_until + interval '1 hour'`);
    expect(await lease('b')).toHaveLength(1);
  });

  it('are ready at once when they are woken, also one that was held meanwhile, and never while they are held', async () => {
    const [waiting, held] = [copy({ readyAt: new Date(Date.now() + minute) }), copy()];
    await add(waiting, held);
    const job = await leaseOne('a');
    await dataSource.transaction((manager) => jobs.wake(manager, 'copy', [waiting.id, held.id, v7()]));
    expect((await lease('b')).map(({ id }) => id)).toEqual([waiting.id]);
    await jobs.retryIn(job, minute);
    expect((await lease('b')).map(({ id }) => id)).toEqual([held.id]);
  });

  it('are added once, no matter how often and by how many at once', async () => {
    const added = Array.from({ length: 50 }, () => copy());
    await Promise.all([add(...added), add(...added.toReversed()), add(...added)]);
    await add();
    expect(await lease('a', 100)).toHaveLength(50);
    await add(...added);
    expect(await lease('b', 100)).toEqual([]);
  });

  it('are there only when the transaction that adds them is', async () => {
    const broken = dataSource.transaction(async (manager) => {
      await jobs.add(manager, [copy()]);
      throw new Error('the handler failed');
    });
    await expect(broken).rejects.toThrow('the handler failed');
    expect(await lease('a')).toEqual([]);
  });

  it('of one lane or kind never hold up those of another, and the longest ready goes first', async () => {
    const ago = (ms: number) => new Date(Date.now() - ms);
    const late = copy({ readyAt: ago(1_000) });
    const early = copy({ readyAt: ago(5_000) });
    const later = copy({ readyAt: new Date(Date.now() + minute) });
    const elsewhere = copy({ lane: 'ORD' });
    const other = copy({ kind: 'backup', lane: '' });
    await add(late, early, later, elsewhere, other);
    expect((await lease('a')).map(({ id }) => id)).toEqual([early.id, late.id]);
    expect((await lease('a', 10, 'ORD')).map(({ id }) => id)).toEqual([elsewhere.id]);
    expect((await jobs.lease('backup', '', 'a', 10, minute)).map(({ id }) => id)).toEqual([other.id]);
  });

  it('change their lane when they are given back, and leave one that nobody works in any more', async () => {
    const id = v7();
    await add(copy({ id, lane: '' }));
    const [job] = await lease('a', 1, '');
    if (!job) throw new Error('there was no job to lease');
    await jobs.retryIn(job, 0, false, 'host-a');
    expect(await lease('b', 1, '')).toEqual([]);
    await jobs.leaveLanes('copy', minute);
    expect(await lease('b', 1, '')).toEqual([]);
    const old = () => dataSource.query(`update job set ready_at = now() - interval '2 minutes'`);
    const [held] = await lease('a', 1, 'host-a');
    await old();
    await jobs.leaveLanes('copy', minute);
    expect(await lease('b', 1, '')).toEqual([]);
    if (held) await jobs.retryIn(held, 0);
    await old();
    await jobs.leaveLanes('copy', minute);
    expect(await lease('b', 1, '')).toMatchObject([{ id, lane: '' }]);
  });

  it('tell how far they are, and begin at zero when begun again', async () => {
    const terabyte = 1_099_511_627_776;
    const { id } = copy();
    await add(copy({ id }));
    const job = await leaseOne('a');
    const told = async () => (await jobs.progress('copy', [id, v7()])).get(id);
    expect(await told()).toEqual({ doneBytes: 0, totalBytes: null });
    await jobs.renew(job, minute, { doneBytes: 10, totalBytes: terabyte });
    await jobs.renew(job, minute);
    await jobs.renew(job, minute, { doneBytes: terabyte, totalBytes: null });
    expect(await told()).toEqual({ doneBytes: terabyte, totalBytes: terabyte });
    await jobs.retryIn(job, 0);
    await leaseOne('b');
    expect(await told()).toEqual({ doneBytes: 0, totalBytes: terabyte });
  });

  it('tell how fast they move bytes while they are held, and nothing of it when they begin again', async () => {
    const moving = new MovingJobs(dataSource);
    const told = () => moving.of('copy', '1234');
    const { id } = copy();
    await add(copy({ id }), copy({ accountId: '5678' }));
    const [job, others] = await lease('a');
    if (!job || !others) throw new Error('there was no job to lease');
    const [own, other] = job.id === id ? [job, others] : [others, job];
    expect(await told()).toEqual([]);
    await jobs.renew(own, minute, { doneBytes: 10, bytesPerSecond: 5_000_000_000 });
    await jobs.renew(other, minute, { doneBytes: 10, bytesPerSecond: 7 });
    expect(await told()).toEqual([{ id, lane: 'IAD', bytesPerSecond: 5_000_000_000 }]);
    await lapse(id);
    expect(await told()).toEqual([]);
    const again = await leaseOne('b');
    expect(await told()).toEqual([]);
    await jobs.renew(again, minute);
    expect(await told()).toEqual([]);
    await jobs.renew(again, minute, { doneBytes: 0, bytesPerSecond: 0 });
    expect(await told()).toEqual([{ id, lane: 'IAD', bytesPerSecond: 0 }]);
    await jobs.retryIn(again, 0);
    expect(await told()).toEqual([]);
  });

  it('are counted lane by lane: waiting, held, deferred', async () => {
    await add(
      copy({ readyAt: new Date(Date.now() - minute) }),
      copy(),
      copy({ readyAt: new Date(Date.now() + minute) }),
    );
    await add(copy({ lane: 'ORD' }));
    await lease('a', 1, 'ORD');
    const load = await jobs.load('copy');
    expect(load).toMatchObject([
      { lane: 'IAD', waiting: 2, held: 0, deferred: 1 },
      { lane: 'ORD', waiting: 0, held: 1, deferred: 0, oldestWaitMs: 0 },
    ]);
    expect(load[0]?.oldestWaitMs).toBeGreaterThanOrEqual(minute);
    expect(await jobs.load('backup')).toEqual([]);
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { v7 } from 'uuid';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { patienceNow } from '../../../../test/services/patience.js';
import { createLogger } from '../log.js';
import { Jobs, type LeasedJob } from './jobs.js';
import { LaneLooks } from './lane-looks.js';
import { type Hold, type LeasedWork, LeasedWorker, type Performed } from './leased-worker.js';
import { MovingJobs } from './moving-jobs.js';

describe('a worker of leased jobs', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let jobs: Jobs;
  let workers: LeasedWorker[];

  beforeAll(async () => {
    ({ database, dataSource } = await connectTestDatabase({ applicationName: 'worker-spec' }));
    jobs = new Jobs(dataSource);
  });
  beforeEach(async () => {
    workers = [];
    await dataSource.query('truncate job');
  });
  afterEach(() => Promise.all(workers.map((worker) => worker.stop())));
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const log = createLogger({ app: 'test', level: 'silent' });
  const soon = { withinMs: 10_000 };

  async function add(count: number): Promise<string[]> {
    const ids = Array.from({ length: count }, () => v7());
    await dataSource.transaction((manager) =>
      jobs.add(
        manager,
        ids.map((id) => ({ kind: 'copy', id, accountId: '1' })),
      ),
    );
    return ids;
  }
  function start(owner: string, perform: LeasedWork['perform'], more: Partial<LeasedWork> = {}): LeasedWorker {
    const work = { kind: 'copy', lane: '', owner, concurrency: 2, leaseMs: 60_000, pollMs: 20, perform, ...more };
    const worker = new LeasedWorker(jobs, work, log);
    workers.push(worker);
    worker.start();
    return worker;
  }
  const left = async () => (await dataSource.query('select 1 from job')).length;

  it('does every job once, and no more at a time than it may', async () => {
    const ids = await add(20);
    const done: string[] = [];
    let atOnce = 0;
    let most = 0;
    const perform = async ({ id }: LeasedJob): Promise<Performed> => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise(setImmediate);
      atOnce -= 1;
      done.push(id);
      return 'finished';
    };
    start('a', perform, { concurrency: 3 });
    await eventually(async () => expect(await left()).toBe(0), soon);
    expect(done.sort()).toEqual(ids.sort());
    expect(most).toBe(3);
  });

  it('takes no more jobs than what they need is there for, and the others when there is more', async () => {
    const ids = await add(6);
    let room = 1;
    let atOnce = 0;
    let most = 0;
    const endings: (() => void)[] = [];
    const perform = async (): Promise<Performed> => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise<void>((resolve) => endings.push(resolve));
      atOnce -= 1;
      return 'finished';
    };
    start('a', perform, { concurrency: 4, idleMs: 3_600_000, most: () => room });
    await eventually(() => expect(atOnce).toBe(1), soon);
    endings.pop()?.();
    await eventually(async () => expect(await left()).toBe(ids.length - 1), soon);
    await eventually(() => expect(atOnce).toBe(1), soon);
    expect(most).toBe(1);
    // Nobody tells the worker that there is more room.
    room = 3;
    await eventually(() => expect(atOnce).toBe(3), soon);
    expect(most).toBe(3);
    room = 10;
    await eventually(() => expect(atOnce).toBe(4), soon);
    const endAll = () => {
      for (const end of endings.splice(0)) end();
    };
    await eventually(async () => {
      endAll();
      expect(await left()).toBe(0);
    }, soon);
    expect(most).toBe(4);
  });

  describe('that is told of news', () => {
    const idle = { idleMs: 3_600_000 };
    const done: string[] = [];
    const perform = async ({ id }: LeasedJob): Promise<Performed> => {
      done.push(id);
      return 'finished';
    };
    const took = (ids: readonly string[]) =>
      eventually(async () => expect(done).toEqual(expect.arrayContaining([...ids])), soon);

    it('takes a job that another process has added, and one that this process has added', async () => {
      const worker = start('a', perform, idle);
      const others = new Jobs(dataSource);
      const id = v7();
      await eventually(() => worker.probe(), soon);
      await others.add(dataSource.manager, [{ kind: 'copy', id, accountId: '1' }]);
      worker.lookSoon();
      await took([id]);
      await took(await add(1));
    });

    it('takes a job when it becomes ready, and one whose holder is lost, without any news', async () => {
      const others = new Jobs(dataSource);
      const [lost, later] = [v7(), v7()];
      await others.add(dataSource.manager, [{ kind: 'copy', id: lost, accountId: '1' }]);
      expect(await others.lease('copy', '', 'killed', 1, 1_000)).toHaveLength(1);
      const readyAt = new Date(Date.now() + 2_000);
      await others.add(dataSource.manager, [{ kind: 'copy', id: later, accountId: '1', readyAt }]);
      start('a', perform, idle);
      await took([lost, later]);
    });

    it('shares one statement with the other quiet lanes, and still finds a job that was added without any news', async () => {
      const counts = { leases: 0, looks: 0 };
      class CountedJobs extends Jobs {
        override lease(...asked: Parameters<Jobs['lease']>) {
          counts.leases += 1;
          return super.lease(...asked);
        }
        override nextInMs(...asked: Parameters<Jobs['nextInMs']>) {
          counts.looks += 1;
          return super.nextInMs(...asked);
        }
      }
      const counted = new CountedJobs(dataSource);
      const looks = new LaneLooks(counted);
      const lanes = ['IAD', 'ORD', 'HKG', 'SYD'];
      const work = { kind: 'copy', owner: 'a', concurrency: 1, leaseMs: 60_000, pollMs: 20, idleMs: 500, perform };
      const quiet = lanes.map((lane) => new LeasedWorker(counted, { ...work, lane }, log, looks));
      workers.push(...quiet);
      for (const worker of quiet) worker.start();
      const at = async (count: number) => {
        await eventually(async () => expect(counts.looks).toBeGreaterThanOrEqual(count), soon);
        return { ...counts };
      };
      const begun = await at(3);
      const later = await at(begun.looks + 4);
      expect(later.leases).toBe(begun.leases);
      const id = v7();
      await new Jobs(dataSource).add(dataSource.manager, [{ kind: 'copy', id, lane: 'HKG', accountId: '1' }]);
      await took([id]);
      expect(counts.leases).toBeLessThanOrEqual(later.leases + lanes.length);
    });

    it('takes what a quota has held back, though another process has ended the job before it', async () => {
      const others = new Jobs(dataSource);
      const [first, second] = [v7(), v7()];
      const quota = { usual: 1, byAccount: new Map() };
      await others.add(dataSource.manager, [{ kind: 'copy', id: first, accountId: '1' }]);
      const [held] = await others.lease('copy', '', 'other', 1, 60_000, { quota });
      if (!held) throw new Error('the job was not leased');
      await others.add(dataSource.manager, [{ kind: 'copy', id: second, accountId: '1' }]);
      const worker = start('a', perform, { ...idle, quota });
      await eventually(() => worker.probe(), soon);
      await others.finish(held);
      await took([second]);
    });
  });

  it('keeps a job for as long as its work takes, however short the lease', async () => {
    const [id = ''] = await add(1);
    const holders: string[] = [];
    let finish = () => {};
    const over = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const long =
      (owner: string) =>
      async (_job: LeasedJob, { progress }: Hold): Promise<Performed> => {
        holders.push(owner);
        progress(7, 70);
        await over;
        return 'finished';
      };
    // A machine that is busy renews late: what counts is that the work outlasts the lease that it began with.
    const leaseMs = Math.round(1_000 * patienceNow({ measured: true }));
    start('a', long('a'), { leaseMs });
    start('b', long('b'), { leaseMs });
    const lease = async () => {
      const [row] = await dataSource.query('select lease_until as until, now() as now from job where id = $1', [id]);
      return row;
    };
    await eventually(() => expect(holders).toHaveLength(1), soon);
    const first = await lease();
    await eventually(async () => {
      const { until, now } = await lease();
      expect(now.getTime()).toBeGreaterThan(first.until.getTime());
      expect(until.getTime()).toBeGreaterThan(now.getTime());
    }, soon);
    expect((await jobs.progress('copy', [id])).get(id)).toEqual({ doneBytes: 7, totalBytes: 70 });
    finish();
    await eventually(async () => expect(await left()).toBe(0), soon);
    expect(holders).toHaveLength(1);
  });

  it('tells with each renewal how fast its work moves bytes, and not how fast what was there already is counted', async () => {
    const [id = ''] = await add(1);
    let finish = () => {};
    const over = new Promise<void>((resolve) => {
      finish = resolve;
    });
    start(
      'a',
      async (_job, { progress }) => {
        progress(9_000_000_000, null, 0);
        await over;
        return 'finished';
      },
      { leaseMs: Math.round(1_000 * patienceNow({ measured: true })) },
    );
    const moving = new MovingJobs(dataSource);
    await eventually(
      async () => expect(await moving.of('copy', '1')).toEqual([{ id, lane: '', bytesPerSecond: 0 }]),
      soon,
    );
    finish();
    await eventually(async () => expect(await left()).toBe(0), soon);
  });

  it('ends work whose lease was lost, and changes nothing of what the new holder does', async () => {
    const [id = ''] = await add(1);
    let begun = () => {};
    const atWork = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const ended: string[] = [];
    start('a', async (_job, { signal }) => {
      begun();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      ended.push(String(signal.reason?.message));
      return 'finished';
    });
    await atWork;
    // As when the process was frozen for longer than its lease, and another took the job meanwhile.
    await dataSource.query(`update job set lease_owner = 'b', attempt = attempt + 1`);
    await eventually(() => expect(ended).toEqual(['the lease was lost to another process']), soon);
    const held: LeasedJob = {
      kind: 'copy',
      id,
      lane: '',
      accountId: '1',
      owner: 'b',
      attempt: 2,
      failures: 0,
      asked: 1,
    };
    expect(await jobs.renew(held, 60_000)).toBe(true);
  });

  it('gives its jobs back when it stops, so that another takes them at once', async () => {
    const [id] = await add(1);
    let begun = () => {};
    const atWork = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const stopping = start('a', async (_job, { signal }) => {
      begun();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw signal.reason;
    });
    await atWork;
    await stopping.stop();
    expect(stopping.busy).toBe(0);
    const [next] = await jobs.lease('copy', '', 'b', 1, 60_000);
    expect(next).toMatchObject({ id, attempt: 2 });
  });

  it('keeps work in hand whose lease has lapsed, and does not begin it a second time', async () => {
    const [id = ''] = await add(1);
    const attempts: number[] = [];
    let finish = () => {};
    const over = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const worker = start('a', async ({ attempt }) => {
      attempts.push(attempt);
      await over;
      return 'finished';
    });
    await eventually(() => expect(attempts).toEqual([1]), soon);
    // As when the process or the database was away for longer than the lease.
    await dataSource.query(`update job set lease_until = now() - interval '1 ms'`);
    await eventually(async () => {
      const [row] = await dataSource.query('select attempt, lease_until > now() as held from job where id = $1', [id]);
      expect(row).toEqual({ attempt: 1, held: true });
    }, soon);
    expect(worker.busy).toBe(1);
    finish();
    await eventually(async () => expect(await left()).toBe(0), soon);
    expect(attempts).toEqual([1]);
  });

  it('does a job again when its work asks for that, or failed', async () => {
    await add(1);
    const attempts: number[] = [];
    start(
      'a',
      async ({ attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) return { retryInMs: 0 };
        if (attempt === 2) throw new Error('nothing could be recorded');
        return 'finished';
      },
      { leaseMs: 200 },
    );
    await eventually(async () => expect(await left()).toBe(0), soon);
    expect(attempts).toEqual([1, 2, 3]);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { Jobs, RandomIds } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import type { AppendRequest } from './append-request.js';
import { Ledger } from './ledger.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let jobs: Jobs;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'events-with-jobs' }));
  ledger = new Ledger(dataSource);
  jobs = new Jobs(dataSource);
});
beforeEach(() => dataSource.query('truncate job, job_news'));
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

/** Asks for a job of the kind `instance`. */
function forgetting(instanceId: string, more: Partial<AppendRequest> = {}): AppendRequest {
  return {
    stream: streamOf('instance', instanceId),
    expectedVersion: 0,
    accountId: 'acme',
    instanceId,
    context,
    events: [{ id: ids.next(), type: 'InstanceForgotten', data: { instanceId } }],
    claims: [],
    releases: [],
    ...more,
  };
}

const lease = async () => (await jobs.lease('instance', '', 'spec', 100, 60_000)).map(({ id }) => id).sort();

describe('an event that asks for work', () => {
  it('is appended with its job, by each way to append, alone or with others', async () => {
    const [alone, first, second, within] = [ids.next(), ids.next(), ids.next(), ids.next()];
    await ledger.append(forgetting(alone));
    await ledger.appendTogether([forgetting(first), forgetting(second)]);
    await dataSource.transaction((manager) => ledger.appendWithin(manager, [forgetting(within)]));
    expect(await lease()).toEqual([alone, first, second, within].sort());
  });

  it('that was not appended leaves no job', async () => {
    const [there, holder, claimant] = [ids.next(), ids.next(), ids.next()];
    const claims = [{ kind: 'schedule-of-instance', key: ids.next() }];
    await ledger.append(forgetting(there));
    await ledger.append(forgetting(holder, { claims }));
    await lease();
    await dataSource.query('truncate job, job_news');
    expect(await ledger.append(forgetting(there))).toEqual({ outcome: 'conflict' });
    expect(await ledger.append(forgetting(claimant, { claims }))).toMatchObject({ outcome: 'claimed' });
    // The first of the two could be appended, and is taken back with the other.
    await ledger.appendTogether([forgetting(ids.next()), forgetting(there)]);
    const broken = dataSource.transaction(async (manager) => {
      await ledger.appendWithin(manager, [forgetting(ids.next())]);
      throw new Error('the caller failed');
    });
    await expect(broken).rejects.toThrow('the caller failed');
    expect(await lease()).toEqual([]);
    expect(await dataSource.query('select * from job_news')).toEqual([]);
  });

  it('has its job done once, though the news of it comes while the job is held, or when it is done', async () => {
    const [held, done] = [ids.next(), ids.next()];
    const placeOf = async (instanceId: string) =>
      (await ledger.readStream(streamOf('instance', instanceId)))[0]?.position ?? 0;
    const news = async (instanceId: string) =>
      jobs.addUnlessThere(dataSource.manager, await placeOf(instanceId), {
        kind: 'instance',
        id: instanceId,
        accountId: 'acme',
      });
    for (const instanceId of [held, done]) await ledger.append(forgetting(instanceId));
    const leased = await jobs.lease('instance', '', 'spec', 10, 60_000);
    for (const job of leased.filter(({ id }) => id === done)) await jobs.finish(job);
    await news(held);
    await news(done);
    for (const job of leased.filter(({ id }) => id === held)) await jobs.finish(job);
    expect(await lease()).toEqual([]);
  });

  it('has its job added by the news of it when an older process has recorded the event alone', async () => {
    const instanceId = ids.next();
    await dataSource.query('select ledger_append($1)', [
      JSON.stringify([{ ...forgetting(instanceId), request: 0, aggregate: 'instance' }]),
    ]);
    expect(await lease()).toEqual([]);
    const [event] = await ledger.readStream(streamOf('instance', instanceId));
    const job = { kind: 'instance', id: instanceId, accountId: 'acme' };
    await jobs.addUnlessThere(dataSource.manager, event?.position ?? 0, job);
    expect(await lease()).toEqual([instanceId]);
  });

  it('is remembered for its news a day long, whatever the clock said when it was appended', async () => {
    const [kept, old, ahead] = [ids.next(), ids.next(), ids.next()];
    for (const instanceId of [kept, old, ahead]) await ledger.append(forgetting(instanceId));
    const positionOf = async (id: string) => (await ledger.readStream(streamOf('instance', id)))[0]?.position;
    const shift = async (id: string, by: string) =>
      dataSource.query('update job_news set added_at = added_at + $2::interval where position = $1', [
        await positionOf(id),
        by,
      ]);
    await shift(old, '-25 hours');
    await shift(ahead, '10 years');
    await jobs.forgetOldNews();
    const left: { position: string }[] = await dataSource.query('select position from job_news');
    expect(left.map(({ position }) => Number(position))).toEqual([await positionOf(kept)]);
  });

  describe.each(['there already', 'new'])('whose job is %s and locked by an open transaction', (job) => {
    const jobOf = (id: string) => ({ kind: 'instance', id, accountId: 'acme' });
    const locked = async (instanceId: string, meanwhile: (manager: EntityManager) => Promise<void>) => {
      if (job === 'there already') await jobs.add(dataSource.manager, [jobOf(instanceId)]);
      await dataSource.transaction(async (manager) => {
        await jobs.add(manager, [jobOf(instanceId)]);
        await meanwhile(manager);
      });
    };

    it('is appended without waiting for that transaction, and the news of it asks for the job', async () => {
      const instanceId = ids.next();
      await locked(instanceId, async () => {
        expect(await ledger.append(forgetting(instanceId))).toMatchObject({ outcome: 'appended' });
      });
      const [held] = await jobs.lease('instance', '', 'spec', 10, 60_000);
      const [event] = await ledger.readStream(streamOf('instance', instanceId));
      await jobs.addUnlessThere(dataSource.manager, event?.position ?? 0, jobOf(instanceId));
      if (held) await jobs.finish(held);
      expect(await lease()).toEqual([instanceId]);
    });

    it('keeps no lock from a transaction that appends on another connection, as an older handler does', async () => {
      const instanceId = ids.next();
      const others = new Ledger(dataSource);
      await locked(instanceId, async () => {
        const waiting = ledger.append(forgetting(instanceId));
        expect(await others.append(forgetting(ids.next()))).toMatchObject({ outcome: 'appended' });
        expect(await waiting).toMatchObject({ outcome: 'appended' });
      });
    });
  });
});

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { type AppendRequest, isOutage, Ledger } from '@strongroom/ledger';
import { Jobs, RandomIds } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const accountId = 'acme';
/** So few jobs that everybody wants the same ones. */
const wanted = Array.from({ length: 4 }, () => ids.next());
const writers = 3;
const appendsOfEach = 15;

let database: TestDatabase;
const sources: DataSource[] = [];

/** A process of its own: it has its own pool, and a statement that waits for so long fails. */
async function processOf(name: string) {
  const options = { url: database.url, applicationName: name, poolSize: 6, longestStatementMs: 20_000 };
  const dataSource = await openDataSource(options);
  sources.push(dataSource);
  return { dataSource, ledger: new Ledger(dataSource), jobs: new Jobs(dataSource) };
}
type Process = Awaited<ReturnType<typeof processOf>>;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await Promise.all(sources.map((source) => source.destroy()));
  await database.drop();
});

function asking(instanceId: string): AppendRequest {
  const stream = streamOf('instance', ids.next());
  return {
    ...{ stream, expectedVersion: 0, accountId, instanceId, context, claims: [], releases: [] },
    events: [{ id: ids.next(), type: 'InstanceForgotten', data: { instanceId } }],
  };
}
const jobOf = (id: string) => ({ kind: 'instance', id, accountId });

it('appends, handlers that hold jobs, and workers never wait for each other in a circle, and no job is lost', async () => {
  // Counts what happens, so that a lease is known to begin after an append.
  let now = 0;
  const askedAt = new Map<string, number>();
  const leasedAt = new Map<string, number>();
  const news: { position: number; instanceId: string }[] = [];
  const writing = { left: writers };

  async function write({ ledger }: Process, turn: number): Promise<void> {
    for (let count = 0; count < appendsOfEach; count += 1) {
      const order = (count + turn) % 2 ? wanted : wanted.toReversed();
      const chosen = count % 3 === 0 ? order.slice(0, 2) : [order[count % order.length] ?? ''];
      const requests = chosen.map(asking);
      const outcomes =
        count % 3 === 0
          ? await ledger.appendTogether(requests)
          : await Promise.all(requests.map((each) => ledger.append(each)));
      for (const [index, outcome] of outcomes.entries()) {
        const instanceId = chosen[index] ?? '';
        if (outcome.outcome !== 'appended') throw new Error(`not appended: ${outcome.outcome}`);
        askedAt.set(instanceId, ++now);
        news.push({ position: outcome.position, instanceId });
      }
    }
    writing.left -= 1;
  }

  /** A batch of the feed: it holds every job that it has added, while it appends on another connection as older handlers do. */
  async function handle({ dataSource, jobs, ledger }: Process, batch: typeof news, turn: number): Promise<void> {
    const transaction = async (manager: EntityManager) => {
      for (const { position, instanceId } of batch) await jobs.addUnlessThere(manager, position, jobOf(instanceId));
      const older = turn % 2 ? wanted : wanted.toReversed();
      for (const id of older.slice(0, 2)) await jobs.add(manager, [jobOf(id)]);
      await ledger.append(asking(ids.next()));
    };
    for (;;) {
      try {
        return await dataSource.transaction(transaction);
      } catch (error) {
        // As the feed does. A fault of the append itself would be such a circle.
        if (!isOutage(error) || (error instanceof Error && error.name === 'LedgerFault')) throw error;
      }
    }
  }

  async function feed(process: Process): Promise<void> {
    for (let turn = 0; writing.left > 0 || news.length > 0; turn += 1) {
      await handle(process, news.splice(0, 5), turn);
    }
  }

  async function work({ jobs, dataSource }: Process, owner: string, isOver: () => boolean): Promise<void> {
    for (let turn = 0; ; turn += 1) {
      const over = isOver();
      const begun = ++now;
      const leased = await jobs.lease('instance', '', owner, 3, 60_000);
      for (const job of leased) {
        leasedAt.set(job.id, Math.max(begun, leasedAt.get(job.id) ?? 0));
        await jobs.renew(job, 60_000);
        if (turn % 5 === 0 && !over) await jobs.retryIn(job, 0);
        else await jobs.finish(job);
      }
      const left: unknown[] = await dataSource.query('select id from job');
      if (over && left.length === 0) return;
    }
  }

  const [first, second, third] = [await processOf('first'), await processOf('second'), await processOf('third')];
  let isOver = false;
  const working = [first, second].map((process, index) => work(process, `worker-${index}`, () => isOver));
  const rest = Promise.all([
    ...[first, second, third].map((process, turn) => write(process, turn)),
    feed(first),
  ]).finally(() => {
    isOver = true;
  });
  await Promise.all([rest, ...working]);
  for (const id of wanted) expect(leasedAt.get(id)).toBeGreaterThan(askedAt.get(id) ?? Number.POSITIVE_INFINITY);
});

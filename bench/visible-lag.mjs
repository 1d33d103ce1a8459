/** How long it takes from the commit of an event to its row, in the stack that `npm start` runs, at half of the rate that it can take. */
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { createDataSource } from '../dist/libs/database/src/index.js';
import { Ledger } from '../dist/libs/ledger/src/index.js';
import { RandomIds } from '../dist/libs/runtime/src/index.js';
import { quantile } from './load.mjs';
import { quiet } from './quiet.mjs';
import { apps, peakMiB } from './stack.mjs';

const lag = { events: Number(process.env.BENCH_LAG_EVENTS ?? 4_000), seconds: 8, sampleEach: 10, batchMs: 20 };
const endpoint = { host: 'db.example', port: 5432, user: 'backup', database: 'postgres', tls: 'require' };

/** Appends instances, as many a second as asked. @returns by id of the instance, when its event was committed */
async function appendAtRate(ledger, { count, perSecond = Number.POSITIVE_INFINITY }, onAppended = () => {}) {
  const ids = new RandomIds();
  const context = { requestId: 'bench', correlationId: 'bench', causationId: null, actor: 'bench' };
  const begun = performance.now();
  const all = [];
  for (let sent = 0; sent < count; ) {
    const due = Math.min(count, Math.ceil(((performance.now() - begun) / 1_000) * perSecond), sent + 500);
    const batch = Array.from({ length: Math.max(0, due - sent) }, () => ids.next());
    sent += batch.length;
    const appended = batch.map(async (instanceId, number) => {
      const data = { instanceId, name: 'bench', datastore: { type: 'postgresql', version: '18' }, endpoint };
      await ledger.append({
        ...{
          stream: `instance-${instanceId}`,
          expectedVersion: 0,
          accountId: `lag-${instanceId.slice(-2)}`,
          instanceId,
          context,
        },
        ...{ events: [{ id: ids.next(), type: 'InstanceRegistered', data }], claims: [], releases: [] },
      });
      onAppended(instanceId, number);
    });
    all.push(...appended);
    if (perSecond === Number.POSITIVE_INFINITY) await Promise.all(appended);
    else await delay(lag.batchMs);
  }
  await Promise.all(all);
}

/** Waits until no account is behind, without asking for a fold. */
async function untilFolded(client) {
  for (;;) {
    const { rows } = await client.query(
      `select exists (select from view_head where account_id like 'lag-%' and position < ledger_newest_of(account_id)) as behind,
         (select count(*)::int from instance_view where account_id like 'lag-%') as rows`,
    );
    if (!rows[0].behind) return rows[0].rows;
    await delay(20);
  }
}

export async function measureLag(place) {
  const broker = process.env.BENCH_BROKER;
  const stack = await place.startStack({
    args: broker === undefined ? [] : ['--broker', broker],
    env: { STRONGROOM_RATE_LIMITS: 'off', STRONGROOM_QUOTAS: 'instances=0' },
  });
  const client = new pg.Client({ connectionString: stack.postgres });
  await client.connect();
  place.undo.push(() => client.end());
  const dataSource = await createDataSource({ url: stack.postgres, applicationName: 'bench' }).initialize();
  place.undo.push(() => dataSource.destroy());
  const ledger = new Ledger(dataSource);
  const capacityOf = async (count) => {
    const before = await untilFolded(client);
    const begun = performance.now();
    await appendAtRate(ledger, { count });
    while ((await untilFolded(client)) < before + count) await delay(20);
    return (count / (performance.now() - begun)) * 1_000;
  };
  await capacityOf(lag.events / 4);
  const isQuiet = await quiet();
  const perSecond = await capacityOf(lag.events);
  await quiet();
  const waiting = new Map();
  const took = [];
  let isOver = false;
  const looking = (async () => {
    while (!isOver || waiting.size > 0) {
      if (waiting.size > 0) {
        const { rows } = await client.query('select id from instance_view where id = any($1::uuid[])', [
          [...waiting.keys()],
        ]);
        for (const { id } of rows) {
          took.push(performance.now() - waiting.get(id));
          waiting.delete(id);
        }
      }
      await delay(2);
    }
  })();
  const half = Math.max(10, perSecond / 2);
  await appendAtRate(ledger, { count: Math.ceil(half * lag.seconds), perSecond: half }, (instanceId, number) => {
    if (number % lag.sampleEach === 0) waiting.set(instanceId, performance.now());
  });
  isOver = true;
  await looking;
  took.sort((a, b) => a - b);
  const peaks = Object.fromEntries(apps.map((app) => [app, peakMiB(stack.pids[app])]));
  return {
    isQuiet,
    broker: stack.broker,
    perSecond,
    half,
    samples: took.length,
    p50: quantile(took, 0.5),
    p99: quantile(took, 0.99),
    peaks,
  };
}

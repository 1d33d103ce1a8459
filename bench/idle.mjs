/**
 * Counts what the three services do in the database while nothing is due and nobody asks, with Kafka as the feed, and how much memory they
 * have then.
 *
 *     npm run build && node bench/idle.mjs [SECONDS]
 *
 * They have served before: the ledger has some events, which are in Kafka and handled. Counts are true on a loaded machine too.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { report } from './report.mjs';
import { countStatements, scratchKafka, scratchPostgres, statementsSince, withClient } from './scratch.mjs';
import { namespace, Services } from './services.mjs';
import { apps, Workplace } from './stack.mjs';

const seconds = Number(process.argv[2] ?? 60);
const context = { requestId: 'bench', correlationId: 'bench', causationId: null, actor: 'bench' };
const settleMs = 10_000;

const say = (text) => process.stdout.write(`${text}\n`);
const place = new Workplace();

const residentMiB = (pid) =>
  Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024);

async function appendSome(client) {
  const requests = Array.from({ length: 100 }, (_, request) => {
    const id = randomUUID();
    const data = { scheduleId: id, instanceId: id };
    return {
      ...{ request, stream: `schedule-${id}`, expectedVersion: 0, accountId: 'acme', instanceId: id, context },
      ...{ aggregate: 'schedule', claims: [], releases: [] },
      events: [{ id: randomUUID(), type: 'ScheduleDeleted', data }],
    };
  });
  await client.query('select count(*) from ledger_append($1)', [JSON.stringify(requests)]);
}

async function numberOf(client, query) {
  const { rows } = await client.query(query);
  return Number(Object.values(rows[0])[0]);
}

async function main() {
  const [url, brokers] = await Promise.all([scratchPostgres(place), scratchKafka(place)]);
  const services = new Services(place, { url, brokers });
  await services.start(1);
  await withClient(url, async (client) => {
    await appendSome(client);
    const waiting = `select (ledger_head() - (select position from relay_cursor where topic = '${namespace}.schedules'))
      + (select count(*) from ledger_event e where not exists (select from feed_handled h where h.position = e.position and h.consumer_group like '%scheduler'))`;
    for (let waited = 0; (await numberOf(client, waiting)) > 0; waited += 1) {
      if (waited > 120) throw new Error('the events are not handled');
      await delay(500);
    }
    await delay(settleMs);
    const transactions = 'select xact_commit + xact_rollback from pg_stat_database where datname = current_database()';
    await countStatements(client);
    const before = await numberOf(client, transactions);
    await delay(seconds * 1_000);
    const perSecond = ((await numberOf(client, transactions)) - before) / seconds;
    const found = await statementsSince(client);
    const of = (pattern) =>
      found.filter(({ statement }) => pattern.test(statement)).reduce((sum, { calls }) => sum + calls, 0) / seconds;
    const ofAll = of(/^(?!.*pg_stat_database)/s);
    const ofFeed = of(/relay_cursor|feed_offset|second_look|feed_handled|dead_letter|ledger_head|ledger_identity/);
    for (const { statement, calls } of found) say(`${(calls / seconds).toFixed(2)}/s  ${statement.slice(0, 180)}`);
    const memory = apps.map((app) => ({ app, mebibytes: residentMiB(services.pids(app)[0]) }));
    report('idle', {
      title: 'Services with nothing to do',
      rows: [
        {
          what: 'transactions of all three services',
          aim: '0',
          ours: `${perSecond.toFixed(2)}/s`,
          isReached: perSecond < 1,
        },
        // A transaction of PostgreSQL itself, such as one of autovacuum, is no statement.
        { what: 'statements of all three services', ours: `${ofAll.toFixed(2)}/s` },
        { what: 'of these, statements of the relay and the feed', ours: `${ofFeed.toFixed(2)}/s` },
        ...memory.map(({ app, mebibytes }) => ({
          what: `memory of the ${app}`,
          aim: '≤ 256 MiB',
          ours: `${mebibytes} MiB`,
          isReached: mebibytes <= 256,
        })),
      ],
      invariants: [
        {
          what: 'everything that was appended before was in Kafka and handled',
          held: (await numberOf(client, waiting)) === 0,
        },
      ],
      isQuiet: true,
      notes: [
        'Each process looks again every five to fifteen seconds for jobs, slots and webhooks whose notice it has not heard. A look for slots is one statement, which asks for the time as well: a notice is lost with its connection, and a clock may be put right. To do less, a process would have to trust that it has heard every notice. What follows are the statements.',
        ...found
          .filter(({ calls }) => calls / seconds >= 0.05)
          .map(({ statement, calls }) => `${(calls / seconds).toFixed(2)}/s: \`${statement.slice(0, 120)}\``),
      ],
      raw: {
        perSecond,
        memory,
        statements: found.map(({ statement, calls }) => ({
          statement: statement.slice(0, 300),
          perSecond: calls / seconds,
        })),
      },
    });
  });
}

try {
  await main();
} finally {
  await place.clear();
}

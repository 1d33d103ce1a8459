/**
 * Counts what the three services do in the database while nothing is due and nobody asks, with Kafka as the feed, and how much memory they
 * have then.
 *
 *     npm run build && node bench/idle.mjs [SECONDS]
 *
 * They have served before: the ledger has some events, which are in Kafka and handled. Counts are true on a loaded machine too.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { report } from './report.mjs';
import { countStatements, scratchKafka, scratchPostgres, statementsSince, withClient } from './scratch.mjs';
import { apps, root, Workplace } from './stack.mjs';

const seconds = Number(process.argv[2] ?? 60);
const namespace = 'bench';
const context = { requestId: 'bench', correlationId: 'bench', causationId: null, actor: 'bench' };
const settleMs = 10_000;

const say = (text) => process.stdout.write(`${text}\n`);
const place = new Workplace();

/** The three services on the scratch servers, with nothing to do. */
async function startServices(url, brokers) {
  const folder = join(place.folder, 'services');
  for (const region of ['DFW', 'IAD']) mkdirSync(join(folder, region), { recursive: true });
  const sha256 = createHash('sha256').update('bench').digest('hex');
  writeFileSync(
    join(folder, 'tokens.json'),
    JSON.stringify([{ name: 'admin', sha256, accountId: 'acme', roles: ['admin'] }]),
  );
  writeFileSync(join(folder, 'secret-key'), randomBytes(32).toString('base64'));
  const pids = {};
  for (const app of apps) {
    const child = spawn(process.execPath, [join(root, 'dist', 'apps', app, 'src', 'main.js')], {
      env: {
        ...{ PATH: process.env.PATH, UV_THREADPOOL_SIZE: '16', MALLOC_ARENA_MAX: '2' },
        ...{
          STRONGROOM_DATABASE_URL: url,
          STRONGROOM_FEED: 'kafka',
          KAFKA_BROKERS: brokers,
          STRONGROOM_NAMESPACE: namespace,
        },
        ...{ STRONGROOM_HTTP_PORT: '0', STRONGROOM_TOKENS_FILE: join(folder, 'tokens.json') },
        STRONGROOM_VAULTS: ['DFW', 'IAD']
          .map((region) => `${region}=${pathToFileURL(join(folder, region)).href}`)
          .join(','),
        ...(app !== 'replicator' && { STRONGROOM_SECRET_KEY_FILE: join(folder, 'secret-key') }),
        ...{ STRONGROOM_CUSTOMER_NETWORKS: '127.0.0.0/8,::1', STRONGROOM_LOG_LEVEL: 'warn' },
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    pids[app] = child.pid;
    place.undo.push(async () => {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('exit', resolve));
    });
    await new Promise((resolve, reject) => {
      child.stdout.on('data', (text) => String(text).includes('"msg":"listening"') && resolve());
      child.once('exit', (code) => reject(new Error(`${app} ended with ${code}`)));
    });
  }
  return pids;
}

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
  const pids = await startServices(url, brokers);
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
    const ofFeed = of(/relay_cursor|feed_offset|second_look|feed_handled|dead_letter|ledger_head|ledger_identity/);
    for (const { statement, calls } of found) say(`${(calls / seconds).toFixed(2)}/s  ${statement.slice(0, 180)}`);
    const memory = apps.map((app) => ({ app, mebibytes: residentMiB(pids[app]) }));
    report('idle', {
      title: 'Services with nothing to do',
      rows: [
        {
          what: 'transactions of all three services',
          aim: '0',
          ours: `${perSecond.toFixed(2)}/s`,
          isReached: perSecond < 1,
        },
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
      notes: found
        .filter(({ calls }) => calls / seconds >= 0.05)
        .map(({ statement, calls }) => `${(calls / seconds).toFixed(2)}/s: \`${statement.slice(0, 120)}\``),
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

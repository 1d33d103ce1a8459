/**
 * Measures how the events become views, beside their limits, on PostgreSQL servers of its own with the data on the disk and fsync on.
 *
 *     npm run build && node bench/projection.mjs [--events 100000] [--rounds 3]
 *
 * The projection: step by step each of a thousand accounts gets its next event. What that step changed is then written by a bare client,
 * with one `unnest` a thousand rows, into tables like those of the views. The same client reads the events of the step alone.
 *
 * The rebuild, of EVENTS events: beside it, one client reads all events in order and writes all rows by `unnest` into such tables. Another
 * process reads the views of accounts meanwhile, and checks each answer.
 *
 * The lag, in the stack that `npm start` runs: from the commit of an event to its row, at half of the rate that the stack can take. It is
 * left out where more than a million events are asked for.
 *
 * At the end each row of the views is compared with what its events give, folded stream by stream in another order. Of more than a million
 * events, so many streams are compared as a million events have.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createDataSource, migrate } from '../dist/libs/database/src/index.js';
import { Ledger } from '../dist/libs/ledger/src/index.js';
import { Views, viewTables } from '../dist/libs/read-model/src/index.js';
import { createLogger, serviceMemory } from '../dist/libs/runtime/src/index.js';
import { PostgresServer } from '../dist/libs/server-processes/src/index.js';
import { Costs, timed } from './costs.mjs';
import { accountsOf, stepsOf, writeStep } from './history.mjs';
import { median, quantile } from './load.mjs';
import { PeerViews, viewNames } from './peer-views.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { peakMiB, Workplace } from './stack.mjs';
import { measureLag } from './visible-lag.mjs';
import { differencesOf } from './whole-views.mjs';

const { values: asked, positionals: partAndArgs } = parseArgs({
  allowPositionals: true,
  options: { events: { type: 'string' }, rounds: { type: 'string' }, part: { type: 'boolean' } },
});
const wanted = Number(asked.events ?? 100_000);
const mostCompared = 1_000_000;
/** A rebuild into empty tables and one into full ones are enough where each takes minutes. */
const rounds = Number(asked.rounds ?? (wanted > mostCompared ? 2 : 3));
const accountsAtOnce = Number(process.env.BENCH_ACCOUNTS ?? 1_000);
const backups = 4;
const steps = stepsOf(backups);
const perRead = 1_000;
const firstId = '00000000-0000-0000-0000-000000000000';
const mostRead = 20_000;
const limitMiB = 256;
const columns = 'position, id, stream, version, type, account_id, instance_id, at, data, context';

const say = (text) => process.stdout.write(`${text}\n`);
const log = createLogger({ app: 'bench', level: 'error' });
const isPart = asked.part === true;
/** The processes that do one part have no folder of their own. */
const place = isPart ? undefined : new Workplace();

async function startDatabase() {
  const server = await PostgresServer.start({
    directory: join(place.folder, 'data'),
    password: 'bench',
    settings: { max_wal_size: '4GB', shared_buffers: '512MB', shared_preload_libraries: 'pg_stat_statements' },
    logFile: join(place.folder, 'postgres.log'),
  });
  place.undo.push(() => server.stop());
  costs = new Costs(join(place.folder, 'data'));
  return server.url();
}

let costs;

async function connect(url) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  place.undo.push(() => client.end());
  return client;
}

/** How many statements and transactions the database did for the work of a data source. */
function counting(dataSource) {
  const counts = { statements: 0, transactions: 0 };
  dataSource.logger.logQuery = (statement) => {
    counts.statements += 1;
    if (statement === 'COMMIT') counts.transactions += 1;
  };
  return counts;
}

/** Reads events in order, as a bare client does. @returns the position of the last */
async function readAlone(client, after, upTo) {
  for (let from = after; from < upTo; ) {
    const { rows } = await client.query({
      name: 'read-alone',
      text: `select ${columns} from ledger_event where position > $1 and position <= $2 order by position limit ${perRead}`,
      values: [from, upTo],
    });
    if (rows.length === 0) return;
    from = Number(rows.at(-1).position);
  }
}

const headOf = async (client) => Number((await client.query('select ledger_head() as head')).rows[0].head);

/** One round of the projection: each step of the history, folded and then written by the peer. */
async function projectionRound({ client, peer, views, round }) {
  const prefix = `project-${round}`;
  const accounts = accountsOf(prefix, accountsAtOnce);
  const sum = { ours: 0, upsert: 0, read: 0, rows: 0, events: 0, cost: Costs.none(), costOfUpsert: Costs.none() };
  for (const [number, step] of steps.entries()) {
    const before = await headOf(client);
    await writeStep(client, { prefix, accounts: accountsAtOnce, step, number });
    const after = await headOf(client);
    const { rows } = await client.query('select pg_current_xact_id()::text as id');
    await costs.of(sum.cost, () => views.catchUpEach(accounts, log));
    sum.read += (await timed(() => readAlone(client, before, after))).seconds;
    for (const view of viewNames) {
      const found = await peer.read(view, 'xmin::text::bigint >= $1::bigint', [rows[0].id]);
      sum.rows += found.rows.length;
      const pieces = peer.prepared(found);
      await costs.of(sum.costOfUpsert, () => peer.write(pieces));
    }
    sum.events += accountsAtOnce;
  }
  return { ...sum, ours: sum.cost.seconds, upsert: sum.costOfUpsert.seconds };
}

async function measureProjection(url, client, peer) {
  const dataSource = await createDataSource({ url, applicationName: 'bench', entities: viewTables }).initialize();
  try {
    const views = new Views(dataSource, new Ledger(dataSource));
    await projectionRound({ client, peer, views, round: 'warm-up' });
    const counts = counting(dataSource);
    const found = [];
    for (let round = 0; round < rounds; round += 1) {
      const isQuiet = await quiet();
      const one = await projectionRound({ client, peer, views, round });
      found.push({ isQuiet, ...one });
      say(
        `projection ${round}: ${Math.round(one.events / one.ours)} events/s, ${(one.upsert / one.ours).toFixed(2)} of the upsert alone`,
      );
    }
    const events = found.reduce((all, each) => all + each.events, 0);
    const per = (count) => (count / events) * 1_000;
    return { found, statements: per(counts.statements), transactions: per(counts.transactions) };
  } finally {
    await dataSource.destroy();
  }
}

/** Runs one part of this script in a process of its own. */
function child(part, ...args) {
  const env = { ...globalThis.process.env, ...serviceMemory(globalThis.process.env.NODE_OPTIONS) };
  const process = fork(fileURLToPath(import.meta.url), ['--part', '--', part, ...args], { env });
  const ended = new Promise((resolve, reject) => {
    process.once('message', resolve);
    process.once('exit', (code) => code !== 0 && reject(new Error(`${part} ended with ${code}`)));
  });
  return { process, ended };
}

const parts = {
  /** Makes all views anew. */
  async rebuild(url) {
    const dataSource = await createDataSource({ url, applicationName: 'rebuild', entities: viewTables }).initialize();
    const counts = counting(dataSource);
    const cpu = process.cpuUsage();
    const { seconds } = await timed(() => new Views(dataSource, new Ledger(dataSource)).rebuild());
    const { user, system } = process.cpuUsage(cpu);
    await dataSource.destroy();
    return { seconds, nodeMicros: user + system, peakMiB: peakMiB(), ...counts };
  },
  /** Reads the views of accounts as requests do, until it is told to end. Each account must have all of its rows. */
  async reader(url, prefix, count) {
    const dataSource = await createDataSource({ url, applicationName: 'reader', entities: viewTables }).initialize();
    const views = new Views(dataSource, new Ledger(dataSource));
    const accounts = accountsOf(prefix, Number(count));
    let isOver = false;
    process.once('message', () => {
      isOver = true;
    });
    const took = [];
    let wrong = 0;
    while (!isOver) {
      const account = accounts[Math.floor(Math.random() * accounts.length)];
      const begun = performance.now();
      await views.catchUp(account);
      const [row] = await dataSource.query(
        `select (select count(*)::int from backup_view where account_id = $1 and status = 'COMPLETED') as backups,
           (select count(*)::int from schedule_view where account_id = $1) as schedules`,
        [account],
      );
      took.push(performance.now() - begun);
      if (row.backups !== backups || row.schedules !== 1) wrong += 1;
      await delay(2);
    }
    await dataSource.destroy();
    took.sort((a, b) => a - b);
    return { reads: took.length, wrong, p50: quantile(took, 0.5), p99: quantile(took, 0.99), peakMiB: peakMiB() };
  },
};

/** How many accounts are made at a time: no transaction, and nothing in memory, grows with the events. */
const mostFilled = 20_000;

/** Adds accounts until the ledger has as many events as are wanted. */
async function fillLedger(client) {
  const missing = wanted - (await headOf(client));
  const accounts = Math.max(0, Math.ceil(missing / steps.length));
  for (let from = 0; from < accounts; from += mostFilled) {
    const some = Math.min(mostFilled, accounts - from);
    for (const [number, step] of steps.entries()) {
      await writeStep(client, { prefix: `filling-${from}`, accounts: some, step, number });
    }
    if (accounts > mostFilled) say(`${(from + some) * steps.length} of ${accounts * steps.length} events are made`);
  }
  await client.query('analyze');
}

async function measureRebuild(url, client, peer) {
  await fillLedger(client);
  const events = Number((await client.query('select count(*) from ledger_event')).rows[0].count);
  const found = [];
  for (let round = 0; round < rounds; round += 1) {
    // Nothing is there before the first rebuild; the later ones replace what is there.
    const isFirst = round === 0;
    if (isFirst) await client.query(`truncate ${viewNames.join(', ')}, view_head`);
    const isQuiet = await quiet();
    const reader = child('reader', url, 'project-0', String(accountsAtOnce));
    const rebuilt = await child('rebuild', url).ended;
    reader.process.send('end');
    const served = await reader.ended;
    await quiet();
    if (isFirst) await peer.empty();
    const read = (await timed(async () => readAlone(client, 0, await headOf(client)))).seconds;
    let upsert = 0;
    let rows = 0;
    for (const view of viewNames) {
      let some = await peer.read(view, 'id >= $1', [firstId], mostRead);
      while (some.rows.length > 0) {
        upsert += await peer.write(peer.prepared(some));
        rows += some.rows.length;
        some = await peer.read(view, 'id > $1', [some.rows.at(-1)[0]], mostRead);
      }
    }
    found.push({ isQuiet, events, rows, seconds: rebuilt.seconds, read, upsert, rebuilt, served });
    say(
      `rebuild ${round}: ${Math.round(events / rebuilt.seconds)} events/s, ${((read + upsert) / rebuilt.seconds).toFixed(2)} of reading and writing alone`,
    );
  }
  return found;
}

/** The CPU of rounds as words. */
function each(found, cost, count) {
  const of = (part) => median(found.map((one) => one[cost][part] / one[count])).toFixed(1);
  return `${of('node')} µs in the process and ${of('database')} µs in PostgreSQL`;
}

const waitingOfEvents =
  'An event waits for the batch in hand and for its own. Each is one transaction for all partitions, and the folds are another one while it waits. The relay looks for news each 10 ms, and small batches begin 25 ms one after the other. To wait less, the feed would have to begin the next batch while the views of the one before it are folded.';

function lagRow({ broker, p50, p99, half }) {
  return {
    what: `event to row at half load, ${broker} feed`,
    aim: 'p99 ≤ 150 ms',
    ours: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms at ${Math.round(half)}/s`,
    isReached: p99 <= 150,
  };
}

async function main() {
  const url = await startDatabase();
  const setup = await createDataSource({ url, applicationName: 'bench', entities: viewTables }).initialize();
  await migrate(setup);
  await setup.destroy();
  const client = await connect(url);
  await client.query('set synchronous_commit = off');
  const peer = new PeerViews(client);
  await peer.prepare();
  const projection = await measureProjection(url, client, peer);
  const rebuild = await measureRebuild(url, client, peer);
  const { differences, rows: compared } = await differencesOf(client, Math.ceil(wanted / mostCompared));
  // It is that of the usual run: it does not depend on how many events there are.
  const lagFound = wanted > mostCompared ? undefined : await measureLag(place);
  const of = (found, name) => median(found.map((each) => each[name]));
  const toUpsert = ratio(projection.found.map(({ ours, upsert }) => upsert / ours));
  const toBoth = ratio(rebuild.map(({ seconds, read, upsert }) => (read + upsert) / seconds));
  const [{ seconds, read, upsert }] = rebuild;
  const firstToBoth = (read + upsert) / seconds;
  const peaks = [
    ...rebuild.flatMap(({ rebuilt, served }) => [rebuilt.peakMiB, served.peakMiB]),
    ...Object.values(lagFound?.peaks ?? {}),
  ];
  const wrong = rebuild.reduce((sum, { served }) => sum + served.wrong, 0);
  const perSecond = (found, seconds) =>
    `${Math.round(median(found.map((each) => each.events / each[seconds])))} events/s`;
  report('projection', {
    title: asked.events === undefined ? 'Events to views' : `Events to views, ${wanted} events`,
    run: asked.events === undefined ? '' : `--events ${wanted}`,
    rows: [
      {
        what: `projection, ${accountsAtOnce} accounts with one event each at a time`,
        aim: '≥ 0.9 × a bare `unnest` upsert',
        ours: perSecond(projection.found, 'ours'),
        beside: `${Math.round(median(projection.found.map(({ rows, upsert }) => rows / upsert)))} rows/s; reading alone ${perSecond(projection.found, 'read')}`,
        ratio: toUpsert,
        isReached: toUpsert.median >= 0.9,
      },
      {
        what: 'statements and transactions for 1,000 events',
        ours: `${projection.statements.toFixed(1)} and ${projection.transactions.toFixed(1)}`,
      },
      ...(lagFound === undefined ? [] : [lagRow(lagFound)]),
      {
        what: `rebuild of ${rebuild[0].events} events while serving`,
        aim: '≥ 0.5 × reading and upserting',
        ours: perSecond(rebuild, 'seconds'),
        beside: `${of(rebuild, 'read').toFixed(1)} s and ${of(rebuild, 'upsert').toFixed(1)} s`,
        ratio: toBoth,
        isReached: toBoth.median >= 0.5,
      },
      { what: 'the first of them, into empty tables', ours: firstToBoth.toFixed(2) },
      {
        what: 'statements and transactions for 1,000 events of the rebuild',
        ours: ['statements', 'transactions']
          .map((name) => median(rebuild.map(({ rebuilt, events }) => (rebuilt[name] / events) * 1_000)).toFixed(1))
          .join(' and '),
      },
      {
        what: 'a read of an account meanwhile',
        ours: `p50 ${of(
          rebuild.map(({ served }) => served),
          'p50',
        ).toFixed(1)} ms, p99 ${of(
          rebuild.map(({ served }) => served),
          'p99',
        ).toFixed(1)} ms`,
      },
      {
        what: 'peak of resident memory of any process',
        aim: `≤ ${limitMiB} MiB`,
        ours: `${Math.max(...peaks)} MiB`,
        isReached: Math.max(...peaks) <= limitMiB,
      },
    ],
    invariants: [
      {
        what: `each of ${compared} rows${wanted > mostCompared ? ' of some streams' : ''} is what the events of its stream give, and no other row is there`,
        held: differences === 0,
      },
      { what: 'each read during a rebuild found all rows of its account', held: wrong === 0 },
    ],
    isQuiet: [...projection.found, ...rebuild, lagFound ?? { isQuiet: true }].every((each) => each.isQuiet),
    notes: [
      'Neither the fold nor the upsert beside it waits for the disk at its commit: both can be done again.',
      'The first rebuild finds empty tables. The later ones find every row right, and leave it; the client beside them writes each row again.',
      `A rebuild of ${rebuild[0].events} events took ${rebuild.map(({ seconds }) => seconds.toFixed(1)).join(' s, ')} s, beside a reader; its process used ${rebuild
        .map(({ rebuilt, events }) => (rebuilt.nodeMicros / events).toFixed(1))
        .join(
          ', ',
        )} µs of CPU an event, and ${Math.max(...rebuild.map(({ rebuilt }) => rebuilt.peakMiB))} MiB at its peak.`,
      `CPU of the projection: ${each(projection.found, 'cost', 'events')} an event. CPU of the upsert beside it: ${each(projection.found, 'costOfUpsert', 'rows')} a row, and an event changes 1.15 rows. Both cores are busy then, so the sum bounds the projection.`,
      'By the profile of the process, of each 100 µs of CPU: collection of garbage 21, driver 18, writes to the socket 13, match of the forms of events 13, arrays of the columns 12, fold 7, batches and locks 8, zod 3. By pg_stat_statements, of each 100 µs in PostgreSQL: writing the rows 66, reading the events 18, heads and their locks 10, reading rows 2.',
      ...(lagFound === undefined ? [] : [waitingOfEvents]),
      'What is left beside the upsert is the reading of the events, one walk along an index for each account, and the lock of its head. To go below it, accounts would have to share a head, or the fold would have to run in the database.',
    ],
    raw: { projection, rebuild, lag: lagFound },
  });
}

const [part, ...args] = partAndArgs;
if (isPart) {
  process.send(await parts[part](...args), () => process.disconnect());
} else {
  try {
    await main();
  } finally {
    await place.clear();
  }
}

/**
 * Measures how fast due slots are fired, beside job queues that do the same: a durable start of each, armed anew for the next day.
 *
 *     npm run build && node bench/firing.mjs [--schedules 200000] [--due 20000] [--rounds 3] [--peers graphile-worker,pg-boss,bullmq]
 *
 * All are on one PostgreSQL with its data on the disk and fsync on, each in a database of its own; BullMQ is on Redis with its log written
 * at each command. A round has every system once, in turns. After each, the starts are counted: each due schedule once, each armed anew.
 * Then: the same with a tenth of the schedules, two schedulers that meet a minute with many slots, and a scheduler with nothing to do.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createDataSource, migrate } from '../dist/libs/database/src/index.js';
import { freePort, PostgresServer } from '../dist/libs/server-processes/src/index.js';
import { openProcess } from './asked-process.mjs';
import { before, makeSchedules, minuteForSlots, minuteMs, outcomeOf, viewsAreThere } from './firing-ledger.mjs';
import { quantile } from './load.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { root, Workplace } from './stack.mjs';

const { values: asked } = parseArgs({
  options: {
    schedules: { type: 'string', default: '200000' },
    due: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    together: { type: 'string', default: '10000' },
    peers: { type: 'string', default: 'graphile-worker,pg-boss,bullmq' },
  },
});
const [schedules, due, rounds, together] = [asked.schedules, asked.due, asked.rounds, asked.together].map(Number);
const aims = { 'graphile-worker': 1.5, 'pg-boss': 2, bullmq: 3 };
const idleMs = 20_000;
const settings = {
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '1GB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  track_commit_timestamp: 'on',
};

const here = dirname(fileURLToPath(import.meta.url));
const peersFolder = join(here, 'peers', 'firing');
const say = (text) => process.stdout.write(`${text}\n`);
const place = new Workplace();
const invariants = [];
const results = [];
let isQuiet = true;
const hold = (what, held) => invariants.push({ what, held });

/** The newest peers want a newer Node than the oldest that the services run on: then all systems run on it. */
function nodeForAll() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  const fetched = join(root, '.strongroom', 'node-24.21.0', 'bin', 'node');
  return existsSync(fetched) ? fetched : undefined;
}

const redisPackages = 'redis-server redis-tools libjemalloc2 liblzf1 liblua5.1-0 lua-cjson lua-bitop libatomic1';

/** The program of Redis: the one that is installed, or one that apt brings, which installs nothing. Undefined where there is none. */
function redisProgram() {
  const installed = ['/usr/bin/redis-server', '/usr/local/bin/redis-server'].find((file) => existsSync(file));
  if (installed) return installed;
  const folder = join(root, '.strongroom', 'redis');
  const fetched = join(folder, 'usr', 'bin', 'redis-server');
  if (!existsSync(fetched)) {
    const unpack = `apt-get -q download ${redisPackages} && for each in *.deb; do dpkg -x "$each" .; done; rm -f *.deb`;
    mkdirSync(folder, { recursive: true });
    try {
      execFileSync('sh', ['-c', unpack], { cwd: folder, stdio: 'ignore' });
    } catch {
      return undefined;
    }
  }
  return existsSync(fetched) ? fetched : undefined;
}

/** @returns the port of a Redis of its own, which writes each command to the disk; undefined where there is no Redis */
async function startRedis() {
  const program = redisProgram();
  if (!program) return undefined;
  const port = await freePort();
  const durable = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
  const options = ['--port', port, '--bind', '127.0.0.1', '--dir', place.folder, '--maxmemory-policy', 'noeviction'];
  const library = join(dirname(program), '..', 'lib', 'x86_64-linux-gnu');
  const env = { ...process.env, LD_LIBRARY_PATH: library };
  const server = spawn(program, [...durable, ...options].map(String), { stdio: 'ignore', env });
  place.undo.push(async () => server.kill('SIGTERM'));
  await delay(1_000);
  return server.exitCode === null ? port : undefined;
}

async function startPeers(node, server, query) {
  const systems = new Map();
  const wanted = asked.peers.split(',').filter(Boolean);
  if (wanted.length === 0) return systems;
  if (!existsSync(join(peersFolder, 'node_modules'))) {
    say('Fetching the peers …');
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: peersFolder, stdio: 'inherit' });
  }
  for (const name of wanted) {
    if (name === 'bullmq') {
      const redis = await startRedis();
      if (redis === undefined) say('There is no redis-server, and apt brings none: BullMQ is left out.');
      else systems.set(name, await openProcess(place, join(peersFolder, 'bullmq.mjs'), { redis }, node));
      continue;
    }
    const database = name.replace('-', '_');
    await query(`create database ${database}`);
    systems.set(name, await openProcess(place, join(peersFolder, `${name}.mjs`), { url: server.url(database) }, node));
  }
  return systems;
}

const versionOf = (name) =>
  JSON.parse(readFileSync(join(peersFolder, 'node_modules', name, 'package.json'), 'utf8')).version;

let made = 0;
async function makeDue(query, count, slotAt, account) {
  await makeSchedules(query, { first: 100_000_000 + made, count, slotAt, ...(account && { account }) });
  made += count;
}

/** Fires once what is due. @returns starts for each second */
async function fireOurs(query, schedulers, label) {
  const slotAt = await minuteForSlots(Math.max(15_000, due / 2));
  await makeDue(query, due, slotAt);
  await query('analyze');
  await query('checkpoint');
  const known = await before(query, slotAt);
  isQuiet = (await quiet({ withinMs: 5_000 })) && isQuiet;
  const ended = await Promise.all(schedulers.map(({ ask }) => ask('go')));
  const ms = Math.max(...ended.map((each) => each.ms));
  const { starts, distinct, others, jobs, armed } = await outcomeOf(query, slotAt, known);
  hold(
    `${label}: ${due} due, ${starts} starts of ${distinct} schedules, ${jobs} jobs, ${armed} armed anew, ${others} other events`,
    [starts, distinct, jobs, armed].every((each) => each === due) && others === 0,
  );
  return (due / ms) * 1_000;
}

async function firePeer(name, system, label) {
  await system.ask('reset', { due, idle: schedules });
  isQuiet = (await quiet({ withinMs: 5_000 })) && isQuiet;
  const { ms, starts, distinct, armed } = await system.ask('go', { due });
  hold(
    `${name}, ${label}: ${due} due, ${starts} starts of ${distinct}, ${armed} armed anew`,
    starts === due && distinct === due && armed === due,
  );
  return (due / ms) * 1_000;
}

/** Many slots in one minute, most of one account, and two schedulers that sleep until then. */
async function meetTheMinute(query, url, node) {
  const schedulers = [];
  for (let n = 0; n < 2; n += 1)
    schedulers.push(await openProcess(place, join(here, 'firing-scheduler.mjs'), { url }, node));
  const slotAt = new Date(Math.ceil((Date.now() + 8_000) / minuteMs) * minuteMs);
  const few = 20;
  await makeDue(query, together - few, slotAt, `'many'`);
  await makeDue(query, few, slotAt, `'few-' || n`);
  await query('analyze');
  await query('checkpoint');
  for (const { ask } of schedulers) await ask('serve');
  await delay(slotAt.getTime() - Date.now() + 1_000);
  for (let waited = 0; waited < 60_000; waited += 250) {
    const [{ left }] = await query('select count(*)::int as left from slot_timer where next_slot_at <= $1', [slotAt]);
    if (left === 0) break;
    await delay(250);
  }
  const rows = await query(
    `select account_id as account, extract(epoch from pg_xact_commit_timestamp(xmin) - $1::timestamptz) * 1000 as ms
     from ledger_event where aggregate = 'backup' and type = 'BackupRequested' and data->>'slotAt' = $2`,
    [slotAt, slotAt.toISOString()],
  );
  const lags = rows.map(({ ms }) => Number(ms)).sort((one, other) => one - other);
  const ofFew = rows.filter(({ account }) => account !== 'many').map(({ ms }) => Number(ms));
  hold(
    `two schedulers: ${together} due in one minute, ${rows.length} started, none early`,
    rows.length === together && lags[0] >= 0,
  );
  await Promise.all(schedulers.map(({ ask }) => ask('close')));
  return { p50: quantile(lags, 0.5), p99: quantile(lags, 0.99), last: lags.at(-1), few: Math.max(...ofFew) };
}

/** What a scheduler asks the database while nothing is due. */
async function idle(query, url, node) {
  const [{ n: soon }] = await query(
    `select count(*)::int as n from slot_timer where next_slot_at < now() + interval '1 hour'`,
  );
  const scheduler = await openProcess(place, join(here, 'firing-scheduler.mjs'), { url }, node);
  await scheduler.ask('serve');
  await delay(3_000);
  const count = async () =>
    Number(
      (
        await query(`select xact_commit + xact_rollback as n from pg_stat_database where datname = current_database()`)
      )[0].n,
    );
  await delay(1_000);
  const before = await count();
  await delay(idleMs);
  await delay(1_500);
  const transactions = (await count()) - before - 1;
  await scheduler.ask('close');
  return { perSecond: transactions / ((idleMs + 1_500) / 1_000), soon };
}

async function main() {
  const node = nodeForAll();
  if (!node) say('There is no Node 22 or newer, which the newest peers need: they are left out.');
  const server = await PostgresServer.start({
    directory: join(place.folder, 'postgres'),
    password: 'bench',
    settings,
    logFile: join(place.folder, 'postgres.log'),
  });
  place.undo.push(() => server.stop());
  const clients = { admin: new pg.Client(server.url()), ours: undefined };
  await clients.admin.connect();
  place.undo.push(() => clients.admin.end());
  await clients.admin.query('create database ours');
  const url = server.url('ours');
  const dataSource = await createDataSource({ url, applicationName: 'bench', longestStatementMs: 0 }).initialize();
  await migrate(dataSource);
  await dataSource.destroy();
  clients.ours = new pg.Client(url);
  await clients.ours.connect();
  place.undo.push(() => clients.ours.end());
  const query = async (text, values) => (await clients.ours.query(text, values)).rows;
  const peers = node ? await startPeers(node, server, (text) => clients.admin.query(text)) : new Map();
  const runtime = node ?? process.execPath;

  const few = Math.round(schedules / 10);
  say(`Making ${few} schedules …`);
  await makeSchedules(query, { first: 0, count: few });
  await viewsAreThere(query);
  await query('vacuum analyze');
  const schedulers = [];
  for (let n = 0; n < 2; n += 1)
    schedulers.push(await openProcess(place, join(here, 'firing-scheduler.mjs'), { url }, runtime));
  await fireOurs(query, schedulers, 'warm-up');
  await fireOurs(query, schedulers, 'second warm-up');
  const withFew = [];
  for (let round = 0; round < rounds; round += 1)
    withFew.push(await fireOurs(query, schedulers.slice(0, 1), `round ${round + 1} with ${few} schedules`));
  say(`Making ${schedules - few} more …`);
  await makeSchedules(query, { first: few, count: schedules - few });
  await viewsAreThere(query);
  await query('vacuum analyze');

  const perRound = [];
  for (let round = 0; round < rounds; round += 1) {
    const rates = {};
    const systems = ['strongroom', 'two', ...peers.keys()];
    for (const name of [...systems.slice(round % systems.length), ...systems.slice(0, round % systems.length)]) {
      const label = `round ${round + 1}`;
      if (name === 'strongroom') rates[name] = await fireOurs(query, schedulers.slice(0, 1), label);
      else if (name === 'two') rates[name] = await fireOurs(query, schedulers, `${label}, two processes`);
      else rates[name] = await firePeer(name, peers.get(name), label);
    }
    perRound.push(rates);
    say(JSON.stringify(rates, (_, value) => (typeof value === 'number' ? Math.round(value) : value)));
  }
  for (const { ask } of [...schedulers, ...peers.values()]) await ask('close');
  const lag = await meetTheMinute(query, url, runtime);
  const quietly = await idle(query, url, runtime);

  const middle = (name) => Math.round(ratio(perRound.map((each) => each[name])).median);
  const rows = [...peers.keys()].map((name) => {
    const of = ratio(perRound.map((each) => each.strongroom / each[name]));
    return {
      what: `slots fired, ${due} due of ${schedules}, beside ${name} ${versionOf(name)}`,
      aim: `≥ ${aims[name]} ×`,
      ours: `${middle('strongroom')}/s`,
      beside: `${middle(name)}/s`,
      ratio: of,
      isReached: of.median >= aims[name],
    };
  });
  rows.push({
    what: 'the same by two processes, beside one',
    ours: `${middle('two')}/s`,
    beside: `${middle('strongroom')}/s`,
    ratio: ratio(perRound.map((each) => each.two / each.strongroom)),
  });
  const grown = ratio(perRound.map((each, round) => withFew[round] / each.strongroom));
  rows.push({
    what: `cost of one firing with ${schedules} schedules, beside ${few}`,
    aim: '≤ 1.05 ×',
    ours: `${middle('strongroom')}/s`,
    beside: `${Math.round(ratio(withFew).median)}/s`,
    ratio: grown,
    isReached: grown.median <= 1.05,
  });
  rows.push({
    what: `${together} due in one minute, two schedulers: slot to commit, p99`,
    aim: '≤ 0.5 s',
    ours: `${Math.round(lag.p99)} ms (p50 ${Math.round(lag.p50)}, last ${Math.round(lag.last)})`,
    isReached: lag.p99 <= 500,
  });
  rows.push({
    what: `${together - 20} of these are of one account: the last of the 20 others`,
    ours: `${Math.round(lag.few)} ms`,
    beside: `${Math.round(lag.last)} ms`,
  });
  rows.push({
    what: 'transactions of a scheduler’s slots while nothing is due',
    aim: '0',
    ours: `${quietly.perSecond.toFixed(2)}/s`,
  });
  report('firing', {
    title: 'Firing due slots',
    rows,
    invariants: invariants.every(({ held }) => held)
      ? [
          {
            what: `in each of ${invariants.length} runs every due schedule had one start, one next slot, and nothing else`,
            held: true,
          },
        ]
      : invariants,
    isQuiet,
    notes: [
      'The ledger bounds it, and not the scheduler: of what a firing costs PostgreSQL, about two thirds is `ledger_append`, and nearly all of it is done under the lock of the ledger. So a second scheduler adds nothing. Fewer indexes, requests as arrays instead of JSON, and a lock for each group of accounts would have to come.',
      `PostgreSQL: ${Object.entries(settings)
        .map(([name, value]) => `${name} = ${value}`)
        .join(', ')}. All systems ran on ${execFileSync(runtime, ['--version']).toString().trim()}.`,
      'A start of ours is the event `BackupRequested`, linked to the one before it, with its claim and its job, and the timer that is moved. The backup that follows is not within the figure; for the peers, the completion of the job is.',
      'BullMQ had no idle schedules beside those that were due.',
      ...(peers.has('bullmq') ? [] : ['BullMQ was left out.']),
    ],
    raw: { perRound, withFew, lag, quietly, results },
  });
}

try {
  await main();
} finally {
  await place.clear();
}

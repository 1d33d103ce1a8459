/**
 * Measures how fast due slots are fired, beside job queues that do the same: a durable start of each, armed anew for the next day.
 *
 *     npm run build && node bench/firing.mjs [--schedules 200000] [--due 20000] [--rounds 3] [--peers graphile-worker,pg-boss,bullmq,quartz]
 *
 * All are on one PostgreSQL with its data on the disk and fsync on, each in a database of its own; BullMQ is on Redis with its log written
 * at each command. A round has every system once, in turns; one of them is ours with a tenth of the schedules, in a database of its own. After
 * each, the starts are counted: each due schedule once, each armed anew. Then: two schedulers that meet a minute with many slots, and a
 * scheduler with nothing to do.
 */
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createDataSource, migrate } from '../dist/libs/database/src/index.js';
import { PostgresServer } from '../dist/libs/server-processes/src/index.js';
import { openService } from './asked-process.mjs';
import { before, fill, makeSchedules, minuteForSlots, minuteMs, outcomeOf } from './firing-ledger.mjs';
import { nodeForAll, startPeers, versionOf } from './firing-peers.mjs';
import { median, quantile } from './load.mjs';
import { processorTimeOf } from './processor-time.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { peakMiB, Workplace } from './stack.mjs';

const usual = {
  schedules: '200000',
  due: '20000',
  rounds: '3',
  together: '10000',
  peers: 'graphile-worker,pg-boss,bullmq,quartz',
};
const { values: asked } = parseArgs({
  options: Object.fromEntries(Object.entries(usual).map(([name, value]) => [name, { type: 'string', default: value }])),
});
/** What makes this run another one than the usual; more rounds of it are the same. */
const run = ['schedules', 'due', 'together']
  .filter((name) => asked[name] !== usual[name])
  .map((name) => `--${name} ${asked[name]}`)
  .join(' ');
const [schedules, due, rounds, together] = [asked.schedules, asked.due, asked.rounds, asked.together].map(Number);
const aims = { 'graphile-worker': 1.5, 'pg-boss': 2, bullmq: 3, quartz: 50 };
/** Quartz starts some hundreds a second: it gets fewer. */
const dueOf = (name) => (name === 'quartz' ? Math.min(due, 2_000) : due);
/** More schedules that are not due cost the peers nothing but the time to make them. */
const idleOfPeers = Math.min(schedules, 1_000_000);
const viewsUpTo = 2_000_000;
const password = 'bench';
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
const say = (text) => process.stdout.write(`${text}\n`);
const place = new Workplace();
const invariants = [];
let isQuiet = true;
const hold = (what, held) => invariants.push({ what, held });

let made = 0;
async function makeDue(query, count, slotAt, account) {
  await makeSchedules(query, { first: 100_000_000 + made, count, slotAt, ...(account && { account }) });
  made += count;
}

/** The processors' time of the schedulers and of each of their sessions with PostgreSQL, by pid, in microseconds. */
async function processorTimes(query, schedulers) {
  const sessions = await query(`select pid from pg_stat_activity where application_name = 'bench-scheduler'`);
  return new Map([...schedulers, ...sessions].map(({ pid }) => [pid, processorTimeOf(pid)]));
}

/** Fires once what is due. @returns starts for each second, and the processors' time of one, in microseconds, of the schedulers and of PostgreSQL */
async function fireOurs(query, schedulers, label) {
  const slotAt = await minuteForSlots(5_000 + due / 2);
  await makeDue(query, due, slotAt);
  await query('analyze');
  await query('checkpoint');
  const known = await before(query, slotAt);
  isQuiet = (await quiet({ withinMs: 5_000 })) && isQuiet;
  const usedBefore = await processorTimes(query, schedulers);
  const ended = await Promise.all(schedulers.map(({ ask }) => ask('go')));
  const ms = Math.max(...ended.map((each) => each.ms));
  const usedBy = [...(await processorTimes(query, schedulers))].map(([pid, time]) => ({
    isScheduler: schedulers.some((each) => each.pid === pid),
    microseconds: (time - (usedBefore.get(pid) ?? 0)) / due,
  }));
  const used = (ofSchedulers) =>
    usedBy
      .filter(({ isScheduler }) => isScheduler === ofSchedulers)
      .reduce((sum, { microseconds }) => sum + microseconds, 0);
  const { starts, distinct, others, jobs, armed } = await outcomeOf(query, slotAt, known);
  hold(
    `${label}: ${due} due, ${starts} starts of ${distinct} schedules, ${jobs} jobs, ${armed} armed anew, ${others} other events`,
    [starts, distinct, jobs, armed].every((each) => each === due) && others === 0,
  );
  const cost = { ofSchedulers: used(true), ofPostgres: used(false) };
  return { perSecond: (due / ms) * 1_000, cost };
}

async function firePeer(name, system, label) {
  const due = dueOf(name);
  await system.ask('reset', { due, idle: idleOfPeers });
  isQuiet = (await quiet({ withinMs: 5_000 })) && isQuiet;
  const { ms, starts, distinct, armed } = await system.ask('go', { due });
  hold(
    `${name}, ${label}: ${due} due, ${starts} starts of ${distinct}, ${armed} armed anew`,
    starts === due && distinct === due && armed === due,
  );
  return { perSecond: (due / ms) * 1_000 };
}

/** Many slots in one minute, most of one account, and two schedulers that sleep until then. */
async function meetTheMinute(query, url, node) {
  const schedulers = [];
  for (let n = 0; n < 2; n += 1)
    schedulers.push(await openService(place, join(here, 'firing-scheduler.mjs'), { url }, node));
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
  const scheduler = await openService(place, join(here, 'firing-scheduler.mjs'), { url }, node);
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

/** A database with schedules, and schedulers that have fired twice. */
async function makeOurs(server, node, { name, count, processes }) {
  const clients = [new pg.Client(server.url(name)), new pg.Client(server.url(name))];
  const admin = new pg.Client(server.url());
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = server.url(name);
  const dataSource = await createDataSource({ url, applicationName: 'bench', longestStatementMs: 0 }).initialize();
  await migrate(dataSource);
  await dataSource.destroy();
  for (const client of clients) {
    await client.connect();
    place.undo.push(() => client.end());
  }
  const queries = clients.map((client) => async (text, values) => (await client.query(text, values)).rows);
  const begunAt = performance.now();
  await fill(queries, { first: 0, count, views: count <= viewsUpTo });
  say(`${count} schedules were made in ${Math.round((performance.now() - begunAt) / 1_000)} s.`);
  const schedulers = [];
  for (let n = 0; n < processes; n += 1)
    schedulers.push(await openService(place, join(here, 'firing-scheduler.mjs'), { url }, node));
  const [query] = queries;
  for (const label of ['warm-up', 'second warm-up']) await fireOurs(query, schedulers, `${label} with ${count}`);
  return { url, query, schedulers };
}

async function main() {
  const node = nodeForAll();
  if (!node) say('There is no Node 22 or newer, which the newest peers need: they are left out.');
  const server = await PostgresServer.start({
    directory: join(place.folder, 'postgres'),
    password,
    settings,
    logFile: join(place.folder, 'postgres.log'),
  });
  place.undo.push(() => server.stop());
  const admin = new pg.Client(server.url());
  await admin.connect();
  place.undo.push(() => admin.end());
  const runtime = node ?? process.execPath;
  const wanted = asked.peers.split(',').filter(Boolean);
  const query = (text) => admin.query(text);
  const { peers, leftOut } = await startPeers(place, { wanted, node, server, password, query });
  for (const each of leftOut) say(each);
  const few = Math.round(schedules / 10);
  const withFew = await makeOurs(server, runtime, { name: 'few', count: few, processes: 1 });
  const ours = await makeOurs(server, runtime, { name: 'ours', count: schedules, processes: 2 });

  const fire = {
    strongroom: (label) => fireOurs(ours.query, ours.schedulers.slice(0, 1), label),
    few: (label) => fireOurs(withFew.query, withFew.schedulers, `${label} with ${few} schedules`),
    two: (label) => fireOurs(ours.query, ours.schedulers, `${label}, two processes`),
  };
  const perRound = [];
  const perRoundCosts = [];
  for (let round = 0; round < rounds; round += 1) {
    const rates = {};
    const costs = {};
    const systems = ['strongroom', 'few', 'two', ...peers.keys()];
    for (const name of [...systems.slice(round % systems.length), ...systems.slice(0, round % systems.length)]) {
      const label = `round ${round + 1}`;
      const { perSecond, cost } = await (fire[name]?.(label) ?? firePeer(name, peers.get(name), label));
      rates[name] = perSecond;
      if (cost !== undefined) costs[name] = cost;
    }
    perRound.push(rates);
    perRoundCosts.push(costs);
    say(JSON.stringify({ rates, costs }, (_, value) => (typeof value === 'number' ? Math.round(value) : value)));
  }
  const peak = Math.max(...[...ours.schedulers, ...withFew.schedulers].map(({ pid }) => peakMiB(pid)));
  for (const { ask } of [...ours.schedulers, ...withFew.schedulers, ...peers.values()]) await ask('close');
  const lag = await meetTheMinute(ours.query, ours.url, runtime);
  const quietly = await idle(ours.query, ours.url, runtime);

  const middle = (name) => Math.round(ratio(perRound.map((each) => each[name])).median);
  const rows = [...peers.keys()].map((name) => {
    const of = ratio(perRound.map((each) => each.strongroom / each[name]));
    return {
      what: `slots fired, ${due} due of ${schedules}, beside ${name} ${versionOf(name)}${dueOf(name) < due ? `, of which ${dueOf(name)} are due there` : ''}`,
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
  const costOf = ({ ofSchedulers, ofPostgres }) => ofSchedulers + ofPostgres;
  const grown = ratio(perRoundCosts.map((each) => costOf(each.strongroom) / costOf(each.few)));
  const microseconds = (name) => `${Math.round(median(perRoundCosts.map((each) => costOf(each[name]))))} µs`;
  const part = (name) => Math.round(median(perRoundCosts.map((each) => each.strongroom[name])));
  rows.push({
    what: `the processors’ time of one firing with ${schedules} schedules, beside ${few}`,
    aim: '≤ 1.05 ×',
    ours: microseconds('strongroom'),
    beside: microseconds('few'),
    ratio: grown,
    isReached: grown.median <= 1.05,
  });
  rows.push({
    what: 'the same by the clock',
    ours: `${middle('strongroom')}/s`,
    beside: `${middle('few')}/s`,
    ratio: ratio(perRound.map((each) => each.few / each.strongroom)),
  });
  rows.push({
    what: `${together} due in one second of ${schedules}, two schedulers: slot to commit, p99`,
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
  rows.push({
    what: 'peak of resident memory of any scheduler',
    aim: '≤ 256 MiB',
    ours: `${peak} MiB`,
    isReached: peak <= 256,
  });
  report('firing', {
    title: run === '' ? 'Firing due slots' : `Firing ${due} due slots of ${schedules}`,
    run,
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
      `The CPU bounds it. A firing costs the schedulers ${part('ofSchedulers')} µs and PostgreSQL ${part('ofPostgres')} µs, and together they have two cores.`,
      'By profiles, of each 100 µs the scheduler takes 29, of which writing to the socket, JSON and the garbage of both are half. PostgreSQL takes for the event with its six indexes 12, judging it 7, its digest and link 4, its claim 2, taking the request apart 12, the job and its news 13, looking at the streams it relies on 3, taking the timer 6 and moving it 9. A firing writes five rows with 14 index entries, where a job queue writes two rows. To reach the aims, the job and its news would have to be one row with two indexes, and the request would have to come in a form that needs no parsing of JSON.',
      'Of 10,000 slots in one second the last waits for the 19 batches before it. The first batch is late by what a process needs that has not fired for a while: about 100 ms until it has decided 500 slots.',
      `PostgreSQL: ${Object.entries(settings)
        .map(([name, value]) => `${name} = ${value}`)
        .join(', ')}. All systems ran on ${execFileSync(runtime, ['--version']).toString().trim()}.`,
      'A start of ours is the event `BackupRequested`, linked to the one before it, with its claim and its job, and the timer that is moved. The backup that follows is not within the figure; for the peers, the completion of the job is.',
      ...(peers.size === 0
        ? []
        : [
            `Beside those that were due, the peers had ${idleOfPeers} idle schedules, and BullMQ none. Each has its trigger in Quartz, whose store arms it anew.`,
          ]),
      ...leftOut,
    ],
    raw: { perRound, perRoundCosts, lag, quietly, peak },
  });
}

try {
  await main();
} finally {
  await place.clear();
}

/**
 * Measures the requests of the API beside their limits, in the stack that `npm start` runs, with the data on the disk and fsync on.
 *
 *     npm run build && node bench/requests.mjs [ROUNDS]
 *
 * Beside `POST /schedules`, in turns: pgbench with one durable statement that does the same work, an idempotency key and an event, on the
 * same PostgreSQL; and the same server's POST that is refused by its form, which costs all of HTTP and nothing of the database. The ratio
 * of one round counts, and of the rounds the median. After the rounds the ledger must have one schedule for each 202, and no other.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { pathOf, postSchedules } from '../dist/libs/contracts/src/index.js';
import { createDataSource } from '../dist/libs/database/src/index.js';
import { Ledger } from '../dist/libs/ledger/src/index.js';
import { RandomIds } from '../dist/libs/runtime/src/index.js';
import { load, median, quantile, request } from './load.mjs';
import { quiet } from './quiet.mjs';
import { apps, postgresTool, root, Workplace } from './stack.mjs';

const run = promisify(execFile);
const rounds = Number(process.argv[2] ?? 5);
const secondsOfPgbench = 3;
const inOneRound = { 64: Number(process.env.BENCH_REQUESTS ?? 4_000), 1: 300 };
const warmUp = 500;
const perBatch = 500;
const endpoint = { host: 'db.example', port: 5432, user: 'backup', database: 'postgres', tls: 'require' };
const timing = { action: 'backup', day_of_week: 2, hour: 3, minute: 30, copy_to: ['IAD', 'ORD'] };

const say = (text) => process.stdout.write(`${text}\n`);
const ids = new RandomIds();
const place = new Workplace();

/** Instances without a server: a schedule asks for nothing else until it is due. */
async function registerInstances(ledger, accountId, count) {
  const context = { requestId: 'bench', correlationId: 'bench', causationId: null, actor: 'bench' };
  const made = Array.from({ length: count }, () => ids.next());
  for (let from = 0; from < count; from += perBatch) {
    const requests = made.slice(from, from + perBatch).map((instanceId) => ({
      stream: `instance-${instanceId}`,
      expectedVersion: 0,
      accountId,
      instanceId,
      context,
      events: [
        {
          id: ids.next(),
          type: 'InstanceRegistered',
          data: { instanceId, name: 'bench', datastore: { type: 'postgresql', version: '18' }, endpoint },
        },
      ],
      claims: [],
      releases: [],
    }));
    const outcomes = await Promise.all(requests.map((each) => ledger.append(each)));
    if (!outcomes.every(({ outcome }) => outcome === 'appended')) throw new Error('an instance was not registered');
  }
  return made;
}

/** One statement with a key and an event, each as the ledger has them, in a schema of its own. */
async function preparePgbench(stack) {
  // libpq reads a plus sign as it is.
  const url = `${stack.postgres}?options=-c%20search_path%3Dbench_peer`;
  await onClient(stack, (client) =>
    client.query(`
      create schema bench_peer;
      create table bench_peer.kept
        (account text, key text, digest bytea, resource uuid, begun timestamptz default now(), primary key (account, key));
      create table bench_peer.event (position bigint generated always as identity primary key, id uuid, stream text, version int,
        type text, account text, at timestamptz default now(), data jsonb, context jsonb, unique (stream, version));
      create index on bench_peer.event (account, position);
    `),
  );
  const script = join(place.folder, 'append.sql');
  writeFileSync(
    script,
    `with made as (select gen_random_uuid() as id), kept as (
       insert into kept (account, key, digest, resource) select 'acme', id::text, sha256(id::text::bytea), id from made)
     insert into event (id, stream, version, type, account, data, context)
     select id, 'schedule-' || id, 1, 'ScheduleCreated', 'acme', jsonb_build_object('scheduleId', id, 'instanceId', id,
       'definition', '${JSON.stringify({ dayOfWeek: 2, hour: 3, minute: 30, fullBackupRetention: 2, copyTo: ['IAD', 'ORD'] })}'::jsonb),
       '{"requestId": "00000000-0000-0000-0000-000000000000", "actor": "bench", "causationId": null}'
     from made;\n`,
  );
  return async (clients) => {
    const program = postgresTool('pgbench') ?? 'pgbench';
    const given = ['-n', '-M', 'prepared', '-f', script, '-c', clients, '-j', 1, '-T', secondsOfPgbench, url];
    const { stdout } = await run(program, given.map(String));
    const perSecond = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
    return { perSecond, latencyMs: Number(/latency average = ([\d.]+)/.exec(stdout)?.[1]) };
  };
}

async function onClient(stack, work) {
  const client = new pg.Client({ connectionString: stack.postgres });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function transactionsOf(stack) {
  const { rows } = await onClient(stack, (client) =>
    client.query(
      'select xact_commit + xact_rollback as transactions from pg_stat_database where datname = current_database()',
    ),
  );
  return Number(rows[0].transactions);
}

const residentMiB = (pid) =>
  Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024);

async function main() {
  const stack = await place.startStack({
    args: ['--broker', process.env.BENCH_BROKER ?? 'embedded'],
    env: { STRONGROOM_RATE_LIMITS: 'off', STRONGROOM_QUOTAS: 'instances=0', STRONGROOM_MAX_SCHEDULES: '1000000' },
  });
  const dataSource = await createDataSource({ url: stack.postgres, applicationName: 'bench' }).initialize();
  place.undo.push(() => dataSource.destroy());
  const pgbench = await preparePgbench(stack);
  const total = warmUp + rounds * (inOneRound[64] + inOneRound[1]);
  say(`Registering ${total} instances …`);
  const instances = await registerInstances(new Ledger(dataSource), stack.accountId, total);
  const path = pathOf(postSchedules, { accountId: stack.accountId });
  const token = stack.tokens.admin;
  let used = 0;
  const accepted = [];
  const post = async (connections, count) => {
    const first = used;
    used += count;
    const answers = await load({
      url: stack.api,
      connections,
      count,
      keep: (status) => status === 202,
      requestOf: (number) =>
        request('POST', path, {
          token,
          key: ids.next(),
          body: { schedule: { ...timing, instance_id: instances[first + number] } },
        }),
    });
    accepted.push(...answers.bodies);
    if (answers.statuses[202] !== count) throw new Error(`not all were accepted: ${JSON.stringify(answers.statuses)}`);
    return answers;
  };
  const noOp = (connections, count) =>
    load({
      url: stack.api,
      connections,
      count,
      requestOf: () =>
        request('POST', path, { token, body: { schedule: { ...timing, hour: 99, instance_id: instances[0] } } }),
    });
  await post(64, warmUp);
  await noOp(64, warmUp);
  const results = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const connections of [64, 1]) {
      const count = inOneRound[connections];
      const isQuiet = await quiet();
      const before = await transactionsOf(stack);
      const ours = await post(connections, count);
      const transactions = (await transactionsOf(stack)) - before;
      await quiet();
      const refused = await noOp(connections, count);
      await quiet();
      const peer = await pgbench(connections);
      results.push({
        round,
        connections,
        isQuiet,
        perSecond: ours.perSecond,
        p50: quantile(ours.took, 0.5),
        p99: quantile(ours.took, 0.99),
        transactionsEach: transactions / count,
        ofPgbench: ours.perSecond / peer.perSecond,
        ofNoOp: ours.perSecond / refused.perSecond,
        latencyOfPgbench: quantile(ours.took, 0.5) / peer.latencyMs,
        pgbench: peer.perSecond,
        noOp: refused.perSecond,
      });
      say(
        JSON.stringify(results.at(-1), (_, value) =>
          typeof value === 'number' ? Number(value.toPrecision(3)) : value,
        ),
      );
    }
  }
  const made = accepted.map((body) => JSON.parse(body).schedule.id);
  const { rows } = await onClient(stack, (client) =>
    client.query(
      `select count(*)::int as recorded, count(*) filter (where substr(stream, 10) = any($1))::int as accepted
       from ledger_event where type = 'ScheduleCreated'`,
      [made],
    ),
  );
  const isWhole =
    rows[0].recorded === made.length && rows[0].accepted === made.length && new Set(made).size === made.length;
  say(`${made.length} accepted, ${rows[0].recorded} recorded: ${isWhole ? 'each once' : 'NOT EACH ONCE'}`);
  const memory = Object.fromEntries(apps.map((app) => [app, residentMiB(stack.pids[app])]));
  const summary = [64, 1].map((connections) => {
    const of = results.filter((each) => each.connections === connections);
    const middle = (name) => Number(median(of.map((each) => each[name])).toPrecision(3));
    const names = [
      'perSecond',
      'p50',
      'p99',
      'transactionsEach',
      'ofPgbench',
      'ofNoOp',
      'latencyOfPgbench',
      'pgbench',
      'noOp',
    ];
    return { connections, ...Object.fromEntries(names.map((name) => [name, middle(name)])) };
  });
  for (const each of summary) say(JSON.stringify(each));
  say(`resident MiB: ${JSON.stringify(memory)}`);
  mkdirSync(join(root, 'bench', 'results'), { recursive: true });
  const machine = { node: process.version, cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) };
  writeFileSync(
    join(root, 'bench', 'results', 'requests.json'),
    `${JSON.stringify({ ...machine, broker: stack.broker, rounds: results, summary, memory, isWhole }, null, 2)}\n`,
  );
  if (!isWhole) process.exitCode = 1;
}

try {
  await main();
} finally {
  await place.clear();
}

/**
 * Measures three processes of each app beside one of each: requests of the API with all that follows from them, and the firing of due slots.
 *
 *     npm run build && node bench/processes.mjs [ROUNDS] [REQUESTS]
 *
 * More processes than the machine has cores do no more work, so what counts is the processors' time for one request and for one firing, in
 * the processes of each app and in PostgreSQL. The rounds with three lie between rounds with one, and every process has served for a while
 * before. PostgreSQL and Kafka are those of `scratch.mjs`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pathOf, postSchedules } from '../dist/libs/contracts/src/index.js';
import { createDataSource, migrate } from '../dist/libs/database/src/index.js';
import { Ledger } from '../dist/libs/ledger/src/index.js';
import { RandomIds } from '../dist/libs/runtime/src/index.js';
import { openService } from './asked-process.mjs';
import { before, makeSchedules, minuteForSlots, outcomeOf, viewsAreThere } from './firing-ledger.mjs';
import { load, median, request } from './load.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { countStatements, scratchKafka, scratchPostgres, statementsSince, withClient } from './scratch.mjs';
import { accountId, namespace, Services, token } from './services.mjs';
import { apps, Workplace } from './stack.mjs';

const rounds = Number(process.argv[2] ?? 2);
const many = Number(process.argv[3] ?? 3_000);
const more = 3;
const connections = 63;
/** What a process runs is compiled after some thousands of requests. */
const warmUp = 4_000;
const due = 10_000;
const aim = 0.95;
const dearestCount = 12;
const timing = { action: 'backup', day_of_week: 2, hour: 3, minute: 30, copy_to: ['IAD'] };
const endpoint = { host: 'db.example', port: 5432, user: 'backup', database: 'postgres', tls: 'require' };
const context = { requestId: 'bench', correlationId: 'bench', causationId: null, actor: 'bench' };
const tickMs = 10;

const say = (text) => process.stdout.write(`${text}\n`);
const ids = new RandomIds();
const place = new Workplace();
const invariants = [];
const schedules = [];
let isQuiet = true;
let handledTo = 0;

const statOf = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');

/** The processors' time of a process so far, without that of its children. */
function cpuMs(pid) {
  const [user, system] = statOf(pid).slice(11, 13).map(Number);
  return (user + system) * tickMs;
}

/** That of a process, of its children and of those that have ended. */
function cpuOfFamilyMs(parent) {
  const ended = statOf(parent).slice(13, 15).map(Number);
  let all = cpuMs(parent) + (ended[0] + ended[1]) * tickMs;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (Number(statOf(pid)[1]) === parent) all += cpuMs(pid);
    } catch {
      // It has ended since its name was read, and its parent counts it the next time.
    }
  }
  return all;
}

/** @returns the process that all sessions of the server are children of */
async function postmasterOf(client) {
  const { rows } = await client.query('select pg_backend_pid() as pid');
  return Number(statOf(rows[0].pid)[1]);
}

async function registerInstances(ledger, count) {
  const made = Array.from({ length: count }, () => ids.next());
  const requests = made.map((instanceId) => ({
    ...{
      stream: `instance-${instanceId}`,
      expectedVersion: 0,
      accountId,
      instanceId,
      context,
      claims: [],
      releases: [],
    },
    events: [
      {
        ...{ id: ids.next(), type: 'InstanceRegistered' },
        data: { instanceId, name: 'bench', datastore: { type: 'postgresql', version: '18' }, endpoint },
      },
    ],
  }));
  await Promise.all(requests.map((each) => ledger.append(each)));
  return made;
}

/** Sends requests to all processes of the api. @returns how many a second were answered */
async function post(services, instances) {
  const path = pathOf(postSchedules, { accountId });
  const { urls } = services;
  const begun = performance.now();
  await Promise.all(
    urls.map(async (url, part) => {
      const own = instances.filter((_, number) => number % urls.length === part);
      const requestOf = (number) =>
        request('POST', path, { token, key: ids.next(), body: { schedule: { ...timing, instance_id: own[number] } } });
      const of = { url, connections: connections / urls.length, count: own.length, keep: () => true, requestOf };
      const { statuses, bodies } = await load(of);
      if (statuses[202] !== own.length) throw new Error(`not all were accepted: ${JSON.stringify(statuses)}`);
      schedules.push(...bodies.map((body) => JSON.parse(body).schedule.id));
    }),
  );
  return instances.length / ((performance.now() - begun) / 1_000);
}

const unhandled = `select count(*)::int as left from ledger_event e where e.position > $1 and not exists
  (select from feed_handled h where h.position = e.position and h.consumer_group like '%scheduler')`;

/**
 * Waits until what follows from the requests is done. The processes of the apps do next to nothing then; they do so too while Kafka divides
 * the work anew, and so PostgreSQL is asked in the end.
 */
async function untilDone({ services, client }) {
  const spent = () => apps.flatMap((app) => services.pids(app)).reduce((sum, pid) => sum + cpuMs(pid), 0);
  for (let calm = 0, last = spent(); calm < 2; ) {
    await delay(500);
    const now = spent();
    calm = now - last <= 100 ? calm + 1 : 0;
    last = now;
    if (calm < 2) continue;
    const { rows } = await client.query(unhandled, [handledTo]);
    if (rows[0].left > 0) calm = 0;
  }
  const { rows } = await client.query('select ledger_head()::bigint as head');
  handledTo = rows[0].head;
}

const ofRelay = (statements) =>
  statements.filter(({ statement }) => /relay_cursor/.test(statement)).reduce((sum, { calls }) => sum + calls, 0);

/** What a round of requests takes. */
async function requestRound(parts) {
  const { services, ledger, client, postmaster } = parts;
  const instances = await registerInstances(ledger, many);
  await untilDone(parts);
  isQuiet = (await quiet({ withinMs: 3_000 })) && isQuiet;
  const spent = () => ({
    ...Object.fromEntries(apps.map((app) => [app, services.pids(app).reduce((sum, pid) => sum + cpuMs(pid), 0)])),
    postgresql: cpuOfFamilyMs(postmaster),
  });
  const earlier = spent();
  await countStatements(client);
  const begun = performance.now();
  const perSecond = await post(services, instances);
  await untilDone(parts);
  const seconds = (performance.now() - begun) / 1_000;
  const micros = microsEach(earlier, spent(), many);
  const statements = await statementsSince(client);
  return { perSecond, micros, relay: ofRelay(statements) / seconds, statements: dearest(statements) };
}

/** The statements that took longest, with how often each ran for 1,000 requests, and how long for one, in microseconds. */
function dearest(statements) {
  const sorted = statements.toSorted((one, other) => other.ms - one.ms).slice(0, dearestCount);
  return sorted.map(({ statement, calls, ms }) => ({
    statement: statement.trim().slice(0, 120),
    calls: Math.round((calls / many) * 1_000),
    micros: Math.round((ms / many) * 1_000),
  }));
}

/** @returns in microseconds for each of `count`, by part and for all parts together */
function microsEach(earlier, now, count) {
  const parts = Object.keys(now).map((part) => [part, ((now[part] - earlier[part]) / count) * 1_000]);
  return { ...Object.fromEntries(parts), total: parts.reduce((sum, [, micros]) => sum + micros, 0) };
}

/** Rounds with three processes of each app, and as many with one before and after them. */
async function measureRequests(parts) {
  const { services, ledger } = parts;
  const blocks = [];
  for (const count of [1, more, 1]) {
    await services.start(count);
    // The process that was there before is warm.
    if (blocks.length < 2) await post(services, await registerInstances(ledger, warmUp * count));
    const block = [];
    for (let round = 0; round < rounds; round += 1) {
      block.push(await requestRound(parts));
      say(JSON.stringify({ count, ...block.at(-1) }, short));
    }
    blocks.push(block);
  }
  const [earlier, three, later] = blocks;
  return [earlier, later].flatMap((ones) => ones.map((one, round) => ({ one, three: three[round] })));
}

const firings = [];
let made = 0;
/** So many processes fire what is due at one minute. */
async function fire(schedulers, { query, postmaster }) {
  const slotAt = await minuteForSlots(8_000);
  await makeSchedules(query, { first: made, count: due, slotAt });
  made += due;
  await viewsAreThere(query);
  await query('analyze');
  await query('checkpoint');
  const known = await before(query, slotAt);
  isQuiet = (await quiet({ withinMs: 3_000 })) && isQuiet;
  const spent = () => ({
    scheduler: schedulers.reduce((sum, { pid }) => sum + cpuMs(pid), 0),
    postgresql: cpuOfFamilyMs(postmaster),
  });
  const earlier = spent();
  const ended = await Promise.all(schedulers.map(({ ask }) => ask('go')));
  const now = spent();
  const ms = Math.max(...ended.map((each) => each.ms));
  const { starts, distinct, others, jobs, armed } = await outcomeOf(query, slotAt, known);
  const held = [starts, distinct, jobs, armed].every((each) => each === due) && others === 0;
  firings.push({ schedulers: schedulers.length, starts, distinct, jobs, armed, others, held });
  return { perSecond: (due / ms) * 1_000, micros: microsEach(earlier, now, due) };
}

async function measureFiring(url, client, postmaster) {
  await client.query('create database firing');
  const target = new URL(url);
  target.pathname = '/firing';
  const own = await createDataSource({ url: target.href, applicationName: 'bench' }).initialize();
  await migrate(own).finally(() => own.destroy());
  return withClient(target.href, async (firing) => {
    const query = async (text, values) => (await firing.query(text, values)).rows;
    const program = join(dirname(fileURLToPath(import.meta.url)), 'firing-scheduler.mjs');
    const schedulers = [];
    for (let n = 0; n < more; n += 1) schedulers.push(await openService(place, program, { url: target.href }));
    // The first firings of a process compile what it runs.
    await fire(schedulers, { query, postmaster });
    await fire(schedulers, { query, postmaster });
    const found = [];
    for (let round = 0; round < rounds; round += 1) {
      const one = await fire(schedulers.slice(round % more, (round % more) + 1), { query, postmaster });
      found.push({ one, three: await fire(schedulers, { query, postmaster }) });
      say(JSON.stringify(found.at(-1), short));
    }
    for (const { ask } of schedulers) await ask('close');
    const broken = firings.filter(({ held }) => !held).map((each) => JSON.stringify(each));
    invariants.push({
      what: `in each of ${firings.length} firings, each of ${due} due schedules had one start, one job, one next slot, and nothing else${broken.join()}`,
      held: broken.length === 0,
    });
    return found;
  });
}

/** Each 202 is one event, and everything was sent and handled. */
async function checkRequests(client) {
  const { rows } = await client.query(
    `select count(*)::int as created, count(distinct stream)::int as streams, count(*) filter (where substr(stream, 10) = any($1))::int as accepted,
       (select ledger_head() - position from relay_cursor where topic = '${namespace}.schedules')::int as unsent,
       (select count(*)::int from ledger_event e where not exists
         (select from feed_handled h where h.position = e.position and h.consumer_group like '%scheduler')) as unhandled,
       (select count(*)::int from schedule_view where account_id = $2) as shown
     from ledger_event where type = 'ScheduleCreated'`,
    [schedules, accountId],
  );
  const [{ created, streams, accepted, unsent, unhandled, shown }] = rows;
  const accept = schedules.length;
  invariants.push(
    {
      what: `each of ${accept} accepted schedules is recorded once, and no other`,
      held: [created, streams, accepted, new Set(schedules).size].every((each) => each === accept),
    },
    { what: `each of them is in the view (${shown})`, held: shown === accept },
    { what: `every event was sent and handled (${unsent} and ${unhandled} were not)`, held: unsent + unhandled === 0 },
  );
}

const short = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value);

function rowsOf(what, found) {
  const middle = (of) => Math.round(median(found.map(of)));
  const parts = (which) =>
    Object.keys(found[0].one.micros)
      .filter((part) => part !== 'total')
      .map((part) => `${part} ${middle((each) => each[which].micros[part])}`)
      .join(', ');
  const perCore = ratio(found.map(({ one, three }) => one.micros.total / three.micros.total));
  return [
    {
      what: `${what}, three processes of each app beside one`,
      ours: `${middle(({ three }) => three.perSecond)}/s`,
      beside: `${middle(({ one }) => one.perSecond)}/s`,
      ratio: ratio(found.map(({ one, three }) => three.perSecond / one.perSecond)),
    },
    {
      what: 'the same for the processors’ time that it takes: so many as one did',
      aim: `≥ ${aim}`,
      ours: `${middle(({ three }) => three.micros.total)} µs each (${parts('three')})`,
      beside: `${middle(({ one }) => one.micros.total)} µs (${parts('one')})`,
      ratio: perCore,
      isReached: perCore.median >= aim,
    },
  ];
}

async function main() {
  const [url, brokers] = await Promise.all([scratchPostgres(place), scratchKafka(place)]);
  const env = {
    ...{ STRONGROOM_RATE_LIMITS: 'off', STRONGROOM_QUOTAS: 'instances=0', STRONGROOM_MAX_SCHEDULES: '1000000' },
    STRONGROOM_MAX_CONNECTIONS_PER_ADDRESS: '0',
  };
  const services = new Services(place, { url, brokers, env });
  const dataSource = await createDataSource({ url, applicationName: 'bench' }).initialize();
  place.undo.push(() => dataSource.destroy());
  const ledger = new Ledger(dataSource);
  await withClient(url, async (client) => {
    const postmaster = await postmasterOf(client);
    const requests = await measureRequests({ services, ledger, client, postmaster });
    await checkRequests(client);
    await services.start(0);
    const firing = await measureFiring(url, client, postmaster);
    const relay = (which) => `${median(requests.map((each) => each[which].relay)).toPrecision(3)}/s`;
    report('processes', {
      title: 'Three processes of each app',
      rows: [
        ...rowsOf('POST /schedules', requests),
        ...rowsOf('slots fired', firing).map((row) => ({
          ...row,
          what: row.what.replace('of each app', 'of the scheduler'),
        })),
        {
          what: 'statements of the relays meanwhile, three schedulers and three replicators beside one of each',
          ours: relay('three'),
          beside: relay('one'),
        },
      ],
      invariants,
      isQuiet,
      notes: [
        'The processors’ time of a request is what the processes of the three apps and PostgreSQL spend until the event is relayed, handled and in the views. Each scheduler and each replicator has a relay, of which one sends.',
        'What a statement and a commit cost is shared by the requests and the events of one process. With three processes of each app on the same two cores, a batch has fewer of both, so each pays for more of it. Larger batches under load would have to change that. By pg_stat_statements, 1,000 requests ran the append 97 times instead of 36, each statement of the views and the timers some 47 times instead of 22, and took jobs 99 times instead of hardly ever; the heads of the views are waited for, some 8 ms each time, by the processes that fold the same account, and a wait takes no processor.',
      ],
      raw: { requests, firing },
    });
  });
}

try {
  await main();
} finally {
  await place.clear();
}

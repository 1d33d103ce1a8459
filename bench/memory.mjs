/**
 * Measures the most memory that each service has in each kind of load, beside what it has with nothing to do, with Kafka as the feed, on the
 * oldest and the newest Node that Strongroom is tested on.
 *
 *     npm run build && node bench/memory.mjs [SHARE] [oldest|newest] [split]
 *
 * SHARE of the load is taken, such as 0.2 for a short trial, and one Node alone where it is named. The peak is that of the operating system,
 * which is set back before each load. `split` tells what the memory of the api consists of at its peak, and writes no report: the services
 * look at their own memory then, which takes some. How busy the machine is makes no difference to it.
 */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { getEvents, getSchedules, pathOf, postInstances, postSchedules } from '../dist/libs/contracts/src/index.js';
import { serviceMemory } from '../dist/libs/runtime/src/index.js';
import { nodeOf, testedNodes } from '../scripts/node-versions.mjs';
import { before, makeSchedules, minuteForSlots, outcomeOf, viewsAreThere } from './firing-ledger.mjs';
import { stepsOf, writeStep } from './history.mjs';
import { load, request } from './load.mjs';
import { partsAtPeak } from './memory-split.mjs';
import { report } from './report.mjs';
import { scratchKafka, scratchPostgres, withClient } from './scratch.mjs';
import { accountId, Services, token } from './services.mjs';
import { apps, peakMiB, root, Workplace } from './stack.mjs';

const share = Number(process.argv[2] ?? 1);
const isSplit = process.argv[4] === 'split';
const of = (count) => Math.ceil(count * share);
const limitMiB = 256;
const clients = 1_000;
const settleMs = 5_000;
const timing = { action: 'backup', day_of_week: 2, hour: 3, minute: 30, copy_to: ['IAD'] };
const connection = { host: '127.0.0.1', port: 1, user: 'backup', password: 'bench' };
const datastore = { type: 'postgresql', version: '18' };
/** What JavaScript makes of it takes far more memory than its bytes, and two bytes for each of its letters. */
const largeBodies = {
  values: `{"schedule": {"hour": 14.0, "a": [${'{},'.repeat(21_000)}{}]}}`,
  text: `{"schedule": {"hour": 14.0, "a": "Ā${'a'.repeat(65_000)}"}}`,
};
const say = (text) => process.stdout.write(`${text}\n`);

/** Sends a request on a connection of its own. @returns the status of its answer; 0 when there is none */
function answerTo(url, text) {
  const { hostname: host, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) }, () => socket.write(text));
    socket.on('error', () => resolve(0));
    socket.on('close', () => resolve(0));
    socket.on('data', (bytes) => {
      resolve(Number(bytes.toString('latin1', 9, 12)));
      socket.destroy();
    });
  });
}

/** One Node: its services, and what they are asked. */
class Trial {
  invariants = [];
  peaks = {};
  #handledTo = 0;
  #accepted = [];

  /** @param parts.splits the folder of what the services write of their memory; undefined when they do not */
  constructor({ place, services, client, version, splits }) {
    Object.assign(this, { place, services, client, version, splits });
    this.query = async (text, values) => (await client.query(text, values)).rows;
  }

  #hold(what, held) {
    this.invariants.push({ what: `Node ${this.version}: ${what}`, held });
  }

  #pids() {
    return Object.fromEntries(apps.map((app) => [app, this.services.pids(app)[0]]));
  }

  /** Does some work, and notes the peaks of it. */
  async during(name, work) {
    const pids = this.#pids();
    for (const pid of Object.values(pids)) writeFileSync(`/proc/${pid}/clear_refs`, '5');
    const since = Date.now();
    await work();
    this.peaks[name] = Object.fromEntries(apps.map((app) => [app, peakMiB(pids[app])]));
    say(`Node ${this.version}, ${name}: ${inWords(this.peaks[name])}`);
    if (this.splits) say(`  api: ${JSON.stringify(partsAtPeak(this.splits, pids.api, since))}`);
  }

  /** @returns how many answers of each status there were, and the bodies of those of `status` */
  async #asked(connections, count, requestOf, status) {
    const [url] = this.services.urls;
    return load({ url, connections, count, requestOf, keep: (each) => each === status });
  }

  /** On a machine that is busy otherwise, the database may be waited for too long: then a request is refused, and another one is sent. */
  async #register(count) {
    const body = { instance: { name: 'bench', datastore, connection } };
    const path = pathOf(postInstances, { accountId });
    const requestOf = () => request('POST', path, { token, key: randomUUID(), body });
    const ids = [];
    while (ids.length < count) {
      const { bodies } = await this.#asked(64, count - ids.length, requestOf, 200);
      ids.push(...bodies.map((each) => JSON.parse(each).instance.id));
    }
    return ids;
  }

  /** Makes schedules of instances that are there, each with a key. */
  async post(connections, count) {
    const instances = await this.#register(count);
    const path = pathOf(postSchedules, { accountId });
    const bodyOf = (number) => ({ schedule: { ...timing, instance_id: instances[number] } });
    const requestOf = (number) => request('POST', path, { token, key: randomUUID(), body: bodyOf(number) });
    const { bodies } = await this.#asked(connections, count, requestOf, 202);
    this.#accepted.push(...bodies.map((each) => JSON.parse(each).schedule.id));
  }

  async list(count) {
    const path = pathOf(getSchedules, { accountId });
    const { statuses } = await this.#asked(64, count, () => request('GET', path, { token }));
    this.#hold(`pages were listed: ${JSON.stringify(statuses)}`, statuses[200] > 0);
  }

  /** Each client sends a body of the largest size, of which much is made. Those that find no room are refused. */
  async large(name) {
    const path = pathOf(postSchedules, { accountId });
    const body = largeBodies[name];
    const head = request('POST', path, { token, key: 'KEY' }).trimEnd();
    const ofBody = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const url = this.services.urls[0];
    const statuses = await Promise.all(
      Array.from({ length: clients }, () => answerTo(url, `${head.replace('KEY', randomUUID())}\r\n${ofBody}`)),
    );
    const count = (wanted) => statuses.filter((status) => status === wanted).length;
    this.#hold(
      `of ${clients} large bodies of ${name} at a time ${count(400)} were judged and ${count(503)} refused`,
      count(400) + count(503) === clients && count(400) > 0,
    );
  }

  /** Live streams of the account beside appends, each of which is told to all of them. */
  async streams(count) {
    const child = fork(join(root, 'bench', 'subscribers.mjs'));
    const ask = (asked) =>
      new Promise((resolve, reject) => {
        child.once('message', ({ result, error }) =>
          error === undefined ? resolve(result) : reject(new Error(error)),
        );
        child.send(asked);
      });
    const { hostname: host, port } = new URL(this.services.urls[0]);
    const wanted = Array.from({ length: clients }, () => ({ path: pathOf(getEvents, { accountId }), token }));
    try {
      await ask({ asked: 'open', host, port: Number(port), wanted });
      const earlier = await this.#eventsOfAccount();
      await this.post(64, count);
      const appended = (await this.#eventsOfAccount()) - earlier;
      const told = await ask({ asked: 'wait', counts: wanted.map(() => appended), withinMs: 120_000 });
      this.#hold(
        `each of ${clients} subscribers was told ${appended} events`,
        told.every(({ events, digest }) => events === appended && digest === told[0].digest),
      );
    } finally {
      child.kill();
    }
  }

  /** Many events are there at once: they are relayed, handled and folded. */
  async backlog(accounts) {
    const [step] = stepsOf(1);
    await writeStep(this.client, { prefix: 'backlog', accounts, step, number: 0 });
    await this.query(`select pg_notify('strongroom_ledger', '')`);
    await this.handled();
  }

  /** Waits until everything was sent to Kafka and handled by the scheduler. It forgets in time what it has handled. */
  async handled() {
    const [{ head }] = await this.query('select ledger_head()::int as head');
    const unhandled = `select count(*)::int as left from ledger_event e where e.position > $1 and e.position <= $2
      and not exists (select from feed_handled h where h.position = e.position and h.consumer_group like '%scheduler')`;
    for (let still = 0, last; ; ) {
      await delay(500);
      const [{ left }] = await this.query(unhandled, [this.#handledTo, head]);
      if (left === 0) break;
      still = left === last ? still + 1 : 0;
      last = left;
      if (still > 240) throw new Error(`${left} events are not handled`);
    }
    this.#handledTo = head;
  }

  async fire(due) {
    const slotAt = await minuteForSlots(15_000);
    await makeSchedules(this.query, { first: 100_000_000, count: due, slotAt });
    await viewsAreThere(this.query);
    const known = await before(this.query, slotAt);
    await this.query('analyze');
    let found;
    for (let looks = 0; looks < 240 && found?.armed !== due; looks += 1) {
      await delay(500);
      found = await outcomeOf(this.query, slotAt, known);
    }
    this.#hold(
      `of ${due} due slots ${found.distinct} were started, and ${found.armed} have their next`,
      [found.distinct, found.armed].every((each) => each === due),
    );
  }

  async #eventsOfAccount() {
    const [{ count }] = await this.query('select count(*)::int as count from ledger_event where account_id = $1', [
      accountId,
    ]);
    return count;
  }

  async check() {
    const [{ recorded, streams }] = await this.query(
      `select count(*)::int as recorded, count(distinct stream)::int as streams from ledger_event
       where type = 'ScheduleCreated' and account_id = $1 and substr(stream, 10) = any($2)`,
      [accountId, this.#accepted],
    );
    const { length } = this.#accepted;
    this.#hold(`each of ${length} accepted schedules is recorded once`, recorded === length && streams === length);
  }
}

/** What has services write down what their memory consists of. */
function splitting(folder) {
  mkdirSync(folder);
  const { NODE_OPTIONS } = serviceMemory(process.env.NODE_OPTIONS);
  const looking = `--import ${pathToFileURL(join(root, 'bench', 'memory-split.mjs')).href}`;
  return { BENCH_MEMORY_SPLIT: folder, NODE_OPTIONS: `${NODE_OPTIONS} ${looking}` };
}

async function measure(version) {
  const place = new Workplace();
  try {
    const [url, brokers] = await Promise.all([scratchPostgres(place), scratchKafka(place)]);
    const env = {
      ...{
        STRONGROOM_RATE_LIMITS: 'off',
        STRONGROOM_QUOTAS: 'instances=0,streams=0',
        STRONGROOM_MAX_SCHEDULES: '1000000',
      },
      ...{
        STRONGROOM_MAX_CONNECTIONS: '5000',
        STRONGROOM_MAX_CONNECTIONS_PER_ADDRESS: '0',
        STRONGROOM_BACKUP_CONCURRENCY: '1',
      },
    };
    const splits = isSplit ? join(place.folder, 'splits') : undefined;
    const given = splits === undefined ? env : { ...env, ...splitting(splits) };
    const services = new Services(place, { url, brokers, env: given, node: nodeOf(version) });
    await services.start(1);
    return await withClient(url, async (client) => {
      const trial = new Trial({ place, services, client, version, splits });
      await trial.during('nothing to do', () => delay(settleMs));
      await trial.during('POST /schedules, 64 clients', async () => {
        await trial.post(64, of(6_000));
        await trial.handled();
      });
      await trial.during(`POST /schedules, ${clients} clients`, async () => {
        await trial.post(clients, of(6_000));
        await trial.handled();
      });
      await trial.during('GET /schedules, pages of 100, 64 clients', () => trial.list(of(2_000)));
      await trial.during(`${clients} live streams beside appends`, () => trial.streams(of(500)));
      await trial.during(`${clients} clients, each with a body of 64 KiB`, async () => {
        for (let round = 0; round < 3; round += 1) for (const name of Object.keys(largeBodies)) await trial.large(name);
      });
      // The loads that follow are those of the other services.
      if (isSplit) return trial;
      // The lists, the streams and the large bodies have their events handled meanwhile.
      await trial.handled();
      const accounts = of(40_000);
      await trial.during(`relay and views of ${accounts} events at once`, () => trial.backlog(accounts));
      const due = of(10_000);
      await trial.during(`${due} slots due in one minute`, () => trial.fire(due));
      await trial.check();
      return trial;
    });
  } finally {
    await place.clear();
  }
}

const inWords = (peaks) => apps.map((app) => `${app} ${peaks[app]} MiB`).join(', ');

const trials = [];
const versions = process.argv[3] ? [testedNodes[process.argv[3]]] : Object.values(testedNodes);
for (const version of versions) trials.push(await measure(version));
const found = {
  title: 'The memory of each service',
  rows: trials.flatMap(({ version, peaks }) => {
    const { 'nothing to do': idle, ...loads } = peaks;
    return Object.entries(loads).map(([name, peak]) => ({
      what: `${name}, Node ${version}`,
      aim: `≤ ${limitMiB} MiB each`,
      ours: inWords(peak),
      beside: `with nothing to do ${inWords(idle)}`,
      isReached: Object.values(peak).every((each) => each <= limitMiB),
    }));
  }),
  invariants: trials.flatMap(({ invariants }) => invariants),
  // No load of the machine changes these figures.
  isQuiet: true,
  notes: [
    `A service has the options that \`npm start\` gives it: \`${serviceMemory(process.env.NODE_OPTIONS).NODE_OPTIONS}\`. The loads follow each other in the same processes. Each figure is the peak of the resident memory (VmHWM) during that load.`,
    'With `split`, an idle api had 162 MiB: 18 of young objects, 37 of old ones, and 107 outside of the heap, most of which are the program and its libraries. Since then its text takes one byte a letter (decision 185), and what only the start needed is given back (decision 248): 134 MiB, of which 1 is young and 35 are old objects. A thousand clients added 16 MiB of young and 30 of old objects. With `--max-semi-space-size=16`, the live streams then added up to 25 MiB of buffers that young objects held, and some 40 MiB that such buffers had left to glibc; the large bodies held 45 MiB of buffers. Decision 243 has what was done about these.',
  ],
  raw: trials.map(({ version, peaks }) => ({ version, peaks })),
};
if (isSplit) for (const { what, held } of found.invariants) say(`${held ? 'held' : 'BROKEN'}: ${what}`);
else report('memory', found);

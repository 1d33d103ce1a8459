/**
 * Measures what live streams cost the appends beside them, in the stack that `npm start` runs, with the data on the disk and fsync on.
 *
 *     npm run build && node bench/streams.mjs [ROUNDS] [SUBSCRIBERS] [APPENDS]
 *
 * In turns: `POST /schedules` from 64 connections alone; the same beside the subscribers, of as many accounts as their quota needs, each
 * of which hears what its account does; and the same where all of them are of the one account. After each round every subscriber must have
 * been told every event of its account once, in order.
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { getEvents, pathOf, postInstances, postSchedules } from '../dist/libs/contracts/src/index.js';
import { hashToken } from '../dist/libs/identity/src/index.js';
import { load, quantile, request } from './load.mjs';
import { inWords, middleOf, processorTimeOf, usedSince } from './processor-time.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { root, Workplace } from './stack.mjs';

const rounds = Number(process.argv[2] ?? 5);
const subscribers = Number(process.argv[3] ?? 1_000);
const appends = Number(process.argv[4] ?? 2_000);
const ofAccount = 20;
const connections = 64;
const timing = { action: 'backup', day_of_week: 2, hour: 3, minute: 30 };
const connection = { host: '127.0.0.1', port: 1, user: 'backup', password: 'bench' };
const say = (text) => process.stdout.write(`${text}\n`);

const place = new Workplace();
const token = (account) => `token of ${account}`;
const residentMiB = (pid) =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;

/** Puts an admin of each account into the file of tokens, which the gateway looks at each second. */
async function admit(accounts) {
  const file = join(place.folder, 'stack', 'tokens.json');
  const entries = accounts.map((accountId) => {
    return { name: accountId, sha256: hashToken(token(accountId)), accountId, roles: ['admin'] };
  });
  writeFileSync(`${file}.new`, JSON.stringify([...JSON.parse(readFileSync(file, 'utf8')), ...entries]));
  renameSync(`${file}.new`, file);
  await delay(2_500);
}

function asking(child, given) {
  return new Promise((resolve, reject) => {
    child.once('message', ({ result, error }) => (error === undefined ? resolve(result) : reject(new Error(error))));
    child.send(given);
  });
}

async function main() {
  const stack = await place.startStack({
    args: ['--broker', process.env.BENCH_BROKER ?? 'embedded'],
    env: {
      STRONGROOM_RATE_LIMITS: 'off',
      STRONGROOM_QUOTAS: 'instances=0,streams=0',
      STRONGROOM_MAX_SCHEDULES: '1000000',
      STRONGROOM_MAX_STREAMS: String(subscribers),
      STRONGROOM_MAX_CONNECTIONS: String(subscribers + 1_000),
      STRONGROOM_MAX_CONNECTIONS_PER_ADDRESS: '0',
    },
  });
  const accounts = Array.from({ length: Math.ceil(subscribers / ofAccount) }, (_, at) => `bench-${at}`);
  await admit(accounts);
  const database = new pg.Client({ connectionString: stack.postgres });
  await database.connect();
  place.undo.push(() => database.end());
  const child = fork(join(root, 'bench', 'subscribers.mjs'));
  place.undo.push(async () => child.kill());
  const { hostname: host, port } = new URL(stack.api);

  /** One instance for each schedule that is to be made, in turns by account. */
  const made = new Map(accounts.map((account) => [account, []]));
  async function register(accountOf, count) {
    const datastore = { type: 'postgresql', version: '18' };
    const { bodies, statuses } = await load({
      url: stack.api,
      connections,
      count,
      keep: (status) => status === 200,
      requestOf: (number) => {
        const account = accountOf(number);
        const body = { instance: { name: account, datastore, connection } };
        return request('POST', pathOf(postInstances, { accountId: account }), { token: token(account), body });
      },
    });
    if (bodies.length !== count) throw new Error(`not all were registered: ${JSON.stringify(statuses)}`);
    for (const body of bodies) {
      const { id, name } = JSON.parse(body).instance;
      made.get(name).push(id);
    }
  }
  async function post(accountOf, count) {
    const answers = await load({
      url: stack.api,
      connections,
      count,
      requestOf: (number) => {
        const account = accountOf(number);
        const body = { schedule: { ...timing, instance_id: made.get(account).pop() } };
        return request('POST', pathOf(postSchedules, { accountId: account }), { token: token(account), body });
      },
    });
    if (answers.statuses[202] !== count) throw new Error(`not all were accepted: ${JSON.stringify(answers.statuses)}`);
    return answers;
  }
  const used = () => ({ api: processorTimeOf(stack.pids.api), subscribers: processorTimeOf(child.pid) });

  const inTurns = (number) => accounts[number % accounts.length];
  const theOne = () => accounts[0];
  const positionOf = async () => {
    const { rows } = await database.query('select coalesce(max(position), 0) as position from ledger_event');
    return rows[0].position;
  };
  const broken = [];
  const peaks = { alone: 0, beside: 0 };
  let doing = 'alone';
  const watch = setInterval(() => {
    peaks[doing] = Math.max(peaks[doing], residentMiB(stack.pids.api));
  }, 250);
  place.undo.push(async () => clearInterval(watch));

  async function beside(accountOf, count) {
    const wanted = Array.from({ length: subscribers }, (_, at) => {
      const account = accountOf(at);
      return { account, path: pathOf(getEvents, { accountId: account }), token: token(account) };
    });
    doing = 'beside';
    await asking(child, { asked: 'open', host, port: Number(port), wanted });
    const from = await positionOf();
    await quiet();
    const usedBefore = used();
    const answers = await post(accountOf, count);
    const answeredAt = performance.now();
    const { rows } = await database.query(
      'select account_id, id from ledger_event where position > $1 order by position',
      [from],
    );
    const digests = new Map(accounts.map((account) => [account, { events: 0, digest: createHash('md5') }]));
    for (const { account_id, id } of rows) {
      const own = digests.get(account_id);
      own.events += 1;
      own.digest.update(id);
    }
    const expected = new Map(
      [...digests].map(([account, { events, digest }]) => [account, { events, digest: digest.digest('hex') }]),
    );
    const counts = wanted.map(({ account }) => expected.get(account).events);
    const told = await asking(child, { asked: 'wait', counts, withinMs: 60_000 });
    const lastToldMs = performance.now() - answeredAt;
    const usedBeside = usedSince(usedBefore, used(), count);
    for (const [at, { account }] of wanted.entries()) {
      const { events, digest } = expected.get(account);
      if (told[at].events !== events || told[at].digest !== digest)
        broken.push(`${account}: ${told[at].events} of ${events}`);
    }
    const memory = residentMiB(stack.pids.api);
    await asking(child, { asked: 'close' });
    await delay(500);
    doing = 'alone';
    return {
      perSecond: answers.perSecond,
      p99: quantile(answers.took, 0.99),
      lastToldMs,
      memory,
      used: usedBeside,
      told: counts.reduce((sum, each) => sum + each, 0),
    };
  }

  const found = { many: [], one: [] };
  let isQuiet = true;
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, accountOf, count] of [
      ['many', inTurns, appends],
      // Each append is told a thousand times.
      ['one', theOne, Math.ceil(appends / 4)],
    ]) {
      await register(accountOf, 2 * count);
      isQuiet = (await quiet()) && isQuiet;
      const usedBefore = used();
      const alone = await post(accountOf, count);
      const usedAlone = usedSince(usedBefore, used(), count);
      const streamed = await beside(accountOf, count);
      const result = {
        round,
        name,
        alone: alone.perSecond,
        aloneP99: quantile(alone.took, 0.99),
        usedAlone,
        ...streamed,
      };
      // The first round warms up.
      if (round > 0) found[name].push(result);
      say(JSON.stringify(result, (_, value) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value)));
    }
  }
  const row = (what, of, aim) => {
    const share = ratio(of.map(({ perSecond, alone }) => perSecond / alone));
    const middle = (name) => ratio(of.map((each) => each[name])).median;
    return {
      what,
      ...(aim !== undefined && { aim: `≥ ${aim} × alone`, isReached: share.median >= aim }),
      ours: `${middle('perSecond').toFixed(0)}/s, p99 ${middle('p99').toFixed(0)} ms; last told ${middle('lastToldMs').toFixed(0)} ms after the last 202`,
      beside: `alone ${middle('alone').toFixed(0)}/s, p99 ${middle('aloneP99').toFixed(0)} ms`,
      ratio: share,
    };
  };
  report('streams', {
    title: 'Live streams beside appends',
    rows: [
      row(`POST /schedules beside ${subscribers} subscribers of ${accounts.length} accounts`, found.many, 0.9),
      row(`POST /schedules beside ${subscribers} subscribers of the same account`, found.one),
      ...Object.entries({ [`${accounts.length} accounts`]: found.many, 'the same account': found.one }).map(
        ([whose, of]) => ({
          what: `the processors’ time for each POST, subscribers of ${whose}, in µs`,
          ours: inWords(middleOf(of.map((each) => each.used))),
          beside: `alone ${inWords(middleOf(of.map((each) => each.usedAlone)))}`,
        }),
      ),
      {
        what: `memory of the api beside ${subscribers} subscribers, most`,
        aim: '≤ 256 MiB',
        ours: `${peaks.beside.toFixed(0)} MiB`,
        beside: `without them ${peaks.alone.toFixed(0)} MiB`,
        isReached: peaks.beside <= 256,
      },
    ],
    invariants: [
      {
        what: `every subscriber was told every event of its account once, in order${broken.length > 0 ? `; not: ${broken.slice(0, 3).join(', ')}` : ''}`,
        held: broken.length === 0,
      },
    ],
    isQuiet,
    notes: [
      `${appends} schedules are made by ${connections} connections in each round, and a quarter of them where all subscribers are of one account. The subscribers run in one process on the same machine, and its work is in the figures.`,
      'With subscribers of fifty accounts, each schedule is told to twenty streams. That takes the api about 0.15 ms of a processor, where the POST itself takes it 0.37, and the subscribers 0.08. The two cores are in use whole, so what the streams take is what the appends lose. By a profile of the api beside the streams, of each 100 µs: writes to the sockets 21, collection of garbage 15, comparing tokens 5, our own code of streams 3; the rest is the POST. Each stream has a socket, and so each event twenty writes. To lose less, fewer bytes would have to be written for each, or the streams to be another process’s.',
      'Where all subscribers are of the account that appends, each event is written to each of them; the bytes of the loopback bound it.',
    ],
    raw: found,
  });
}

try {
  await main();
} finally {
  await place.clear();
}

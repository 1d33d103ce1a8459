/**
 * Measures the relay from the ledger to Kafka.
 *
 *     npm run build && node bench/relay.mjs [EVENTS] [ROUNDS]
 *
 * The ledger is filled with a backlog of EVENTS (default: 100,000). In each round, in turns: the relay sends the backlog from its start,
 * and a bare producer of kafkajs sends the same messages in the same batches to a topic of the same form, with acks=all; so do, where
 * they install, the clients that may replace kafkajs. Then appends at full rate beside one relay and beside three are compared, in turns.
 * At half that rate, a subscriber of Kafka tells how long after its append each event comes.
 */
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import kafkajs from 'kafkajs';
import { topicName } from '../dist/libs/contracts/src/index.js';
import { createDataSource } from '../dist/libs/database/src/index.js';
import { cloudEventOf } from '../dist/libs/feed/src/kafka/cloud-event.js';
import { Ledger } from '../dist/libs/ledger/src/index.js';
import { RandomIds, serviceMemory } from '../dist/libs/runtime/src/index.js';
import { median, quantile } from './load.mjs';
import { inWords, processorTimeOf, processorTimeOfSessions, usedSince } from './processor-time.mjs';
import { busyTimes, quiet, shareSince } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { countStatements, scratchKafka, scratchPostgres, statementsSince, withClient } from './scratch.mjs';
import { peakMiB, root, Workplace } from './stack.mjs';
import { instant, subscribe } from './subscriber.mjs';

const run = promisify(execFile);
const events = Number(process.argv[2] ?? 100_000);
const rounds = Number(process.argv[3] ?? 3);
const loadSeconds = Number(process.env.BENCH_LOAD_SECONDS ?? 5);
const perBatch = 500;
const perStream = 10;
const clients = 64;
const partitions = 6;
const namespace = 'bench';
const topic = topicName('schedule', namespace);
const context = { requestId: 'bench', correlationId: 'bench', causationId: null, actor: 'bench' };
const definition = { dayOfWeek: 2, hour: 3, minute: 30, fullBackupRetention: 2, copyTo: ['IAD', 'ORD'], paused: false };

const say = (text) => process.stdout.write(`${text}\n`);
const ids = new RandomIds();
const place = new Workplace();
let isQuiet = true;
const waitForQuiet = async () => {
  isQuiet = (await quiet()) && isQuiet;
};

/** Streams of schedules grow in turns, as they do when many clients work at once. All of it is one transaction. */
async function fillLedger(url) {
  const streams = Array.from({ length: events / perStream }, () => ({ id: ids.next(), instanceId: ids.next() }));
  await withClient(url, async (client) => {
    await client.query('begin');
    for (let version = 0; version < perStream; version += 1) {
      for (let from = 0; from < streams.length; from += perBatch) {
        const requests = streams.slice(from, from + perBatch).map((each, request) => requestOf(each, version, request));
        await client.query('select count(*) from ledger_append($1)', [JSON.stringify(requests)]);
      }
    }
    await client.query('commit');
  });
}

function requestOf({ id, instanceId }, version, request) {
  return {
    ...{ request, stream: `schedule-${id}`, expectedVersion: version, accountId: 'acme', instanceId, context },
    aggregate: 'schedule',
    events: [{ id: ids.next(), type: 'ScheduleCreated', data: { scheduleId: id, instanceId, ...definition } }],
    ...{ claims: [], releases: [] },
  };
}

async function startRelay(url, brokers) {
  const child = spawn(process.execPath, [join(root, 'bench', 'relay-process.mjs'), url, brokers, namespace], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...serviceMemory(process.env.NODE_OPTIONS) },
  });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', (code) => reject(new Error(`the relay ended with ${code}`)));
  });
  const stop = () =>
    new Promise((resolve) => {
      if (child.exitCode !== null) return resolve();
      child.once('exit', resolve);
      child.stdin.end();
    });
  place.undo.push(stop);
  return { pid: child.pid, stop };
}

const cursorOf = async (client) => {
  const { rows } = await client.query('select position::int from relay_cursor where topic = $1', [topic]);
  return rows[0]?.position ?? 0;
};
const headOf = async (client) => {
  const { rows } = await client.query('select ledger_head()::int as head');
  return rows[0].head;
};

async function until(what, look, withinMs = 120_000) {
  for (const end = performance.now() + withinMs; performance.now() < end; ) {
    if (await look()) return;
    await delay(5);
  }
  throw new Error(`${what}: not within ${withinMs / 1_000} s`);
}

/** The processor's time that a process has used, in milliseconds. It is counted in hundredths of a second. */
function cpuMsOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** What the parts of this measurement have used. */
const usedNow = async (client, relay, subscriber) => ({
  relay: processorTimeOf(relay),
  appends: processorTimeOf(process.pid),
  subscriber: processorTimeOf(subscriber),
  'sessions in PostgreSQL': Object.values(await processorTimeOfSessions(client)).reduce((sum, time) => sum + time, 0),
});

/** The relay runs and has its connections. The backlog is before it at once. */
async function drain(client, pid) {
  const head = await headOf(client);
  const cpuMs = cpuMsOf(pid);
  const begun = performance.now();
  await client.query(`update relay_cursor set position = 0 where topic = $1`, [topic]);
  await client.query(`select pg_notify('strongroom_ledger', '')`);
  await until('the relay sends the backlog', async () => (await cursorOf(client)) === head);
  return {
    perSecond: events / ((performance.now() - begun) / 1_000),
    cpuUs: ((cpuMsOf(pid) - cpuMs) * 1_000) / events,
  };
}

/** @param send sends the backlog */
async function sendAll(send) {
  const cpuMs = cpuMsOf(process.pid);
  const begun = performance.now();
  await send();
  const perSecond = events / ((performance.now() - begun) / 1_000);
  return { perSecond, cpuUs: ((cpuMsOf(process.pid) - cpuMs) * 1_000) / events };
}

async function bareProducer(kafka, batches) {
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  return {
    send: async () => {
      for (const messages of batches) await producer.send({ topic: 'bench.peer', acks: -1, messages });
    },
    end: () => producer.disconnect(),
  };
}

/** The clients that may replace kafkajs, where they install. */
async function otherClients(brokers, batches) {
  const folder = join(root, 'bench', 'peers', 'kafka');
  if (!existsSync(join(folder, 'node_modules'))) {
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, timeout: 120_000 }).catch((error) =>
      say(error.message),
    );
  }
  const { peers } = await import(pathToFileURL(join(folder, 'clients.mjs')).href);
  const found = {};
  for (const [name, connect] of Object.entries(peers)) {
    try {
      found[name] = await connect(brokers, 'bench.peer', batches);
    } catch (error) {
      say(`${name} is not measured: ${error.message}`);
    }
  }
  return found;
}

const newStream = () => ({ id: ids.next(), instanceId: ids.next() });

async function appendOne(ledger) {
  const { aggregate: _, request: __, ...asked } = requestOf(newStream(), 0, 0);
  const outcome = await ledger.append(asked);
  if (outcome.outcome !== 'appended') throw new Error('an event was not appended');
  return { id: asked.events[0].id, at: instant() };
}

/** Appends as fast as so many clients can. @returns how many a second */
async function appendFast(ledger, appended) {
  const begun = performance.now();
  const end = begun + loadSeconds * 1_000;
  let count = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < end) {
        appended.push(await appendOne(ledger));
        count += 1;
      }
    }),
  );
  return count / ((performance.now() - begun) / 1_000);
}

/** The backlog that this process has sent is garbage, whose collection would delay the appends that are timed. */
function collectGarbage() {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

/** Appends at a steady rate, however long each takes. */
async function appendSteadily(ledger, perSecond, appended) {
  const begun = performance.now();
  const waiting = [];
  for (let sent = 0; performance.now() - begun < loadSeconds * 1_000; await delay(5)) {
    const due = Math.floor(((performance.now() - begun) / 1_000) * perSecond);
    for (; sent < due; sent += 1) waiting.push(appendOne(ledger));
  }
  const own = await Promise.all(waiting);
  appended.push(...own);
  return own;
}

async function main() {
  say('Starting PostgreSQL and Kafka …');
  const [url, brokers] = await Promise.all([scratchPostgres(place), scratchKafka(place)]);
  const kafka = new kafkajs.Kafka({ brokers: [brokers], clientId: 'bench', logLevel: kafkajs.logLevel.ERROR });
  const dataSource = await createDataSource({ url, applicationName: 'bench' }).initialize();
  place.undo.push(() => dataSource.destroy());
  const ledger = new Ledger(dataSource);
  say(`Filling the ledger with ${events} events …`);
  await fillLedger(url);

  await withClient(url, async (client) => {
    const first = await startRelay(url, brokers);
    await until('the first pass', async () => (await cursorOf(client)) === (await headOf(client)));
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic: 'bench.peer', numPartitions: partitions, replicationFactor: 1 }],
    });
    await admin.disconnect();
    const batches = [];
    for (let from = 0; ; ) {
      const texts = await ledger.textsAfter('schedule', from, perBatch);
      if (texts.length === 0) break;
      batches.push(texts.map((text) => cloudEventOf(text, randomUUID())));
      from = texts.at(-1).position;
    }
    const bare = await bareProducer(kafka, batches);
    const others = await otherClients(brokers, batches);
    const drained = [];
    for (let round = 0; round < rounds; round += 1) {
      const found = {};
      const turns = [
        ['relay', () => drain(client, first.pid)],
        ['kafkajs', () => sendAll(bare.send)],
        ...Object.entries(others).map(([name, { send }]) => [name, () => sendAll(send)]),
      ];
      for (const [name, turn] of round % 2 === 0 ? turns : turns.reverse()) {
        await waitForQuiet();
        found[name] = await turn();
      }
      drained.push(found);
      say(JSON.stringify(found, (_, value) => (typeof value === 'number' ? Math.round(value) : value)));
    }
    const relayMiB = peakMiB(first.pid);
    await bare.end();
    for (const { end } of Object.values(others)) await end();
    batches.length = 0;

    const subscriber = await subscribe(brokers, topic, place);
    await until('the subscriber has the backlog', async () => (await subscriber.count()) >= events);
    const appended = [];
    const fast = { one: [], three: [] };
    const statements = {};
    await appendFast(ledger, appended);
    for (let round = 0; round < rounds; round += 1) {
      for (const kind of ['one', 'three']) {
        const more = kind === 'three' ? [await startRelay(url, brokers), await startRelay(url, brokers)] : [];
        await delay(2_000);
        await waitForQuiet();
        await countStatements(client);
        fast[kind].push(await appendFast(ledger, appended));
        statements[kind] = (await statementsSince(client)).filter(({ statement }) =>
          /relay_cursor|newest|ledger_identity/.test(statement),
        );
        await Promise.all(more.map(({ stop }) => stop()));
      }
    }
    await until('the relay has caught up', async () => (await cursorOf(client)) === (await headOf(client)));
    collectGarbage();
    /** How long each event took to the subscriber when so many are appended a second. */
    const tookAt = async (rate) => {
      await waitForQuiet();
      const usedBefore = await usedNow(client, first.pid, subscriber.pid);
      const busy = busyTimes();
      const steady = await appendSteadily(ledger, rate, appended);
      await until('the last event is there', async () => (await subscriber.count()) >= events + appended.length);
      const arrivals = await subscriber.arrivals(steady.map(({ id }) => id));
      const took = steady.map(({ at }, number) => Math.max(0, arrivals[number] - at)).sort((a, b) => a - b);
      return {
        ...{ rate: Math.round(rate), count: took.length, p50: quantile(took, 0.5), p99: quantile(took, 0.99) },
        used: usedSince(usedBefore, await usedNow(client, first.pid, subscriber.pid), steady.length),
        busyShare: shareSince(busy, busyTimes()),
      };
    };
    const full = median(fast.one);
    // The first turn counts for nothing: another relay may just have taken the lease, and connects.
    await tookAt(full / 2);
    const atHalf = await tookAt(full / 2);
    const atQuarter = await tookAt(full / 4);
    const verdict = await subscriber.verdict(appended.map(({ id }) => id));
    await first.stop();

    const ofBare = ratio(drained.map(({ relay, kafkajs: peer }) => relay.perSecond / peer.perSecond));
    const ofThree = ratio(fast.three.map((each, round) => each / fast.one[round]));
    const middle = (name) => `${Math.round(median(drained.map((each) => each[name].perSecond)))}/s`;
    const cpu = (name) => `${median(drained.map((each) => each[name].cpuUs)).toPrecision(3)} µs`;
    const looks = (kind) =>
      `${Math.round(statements[kind].reduce((sum, { calls }) => sum + calls, 0) / loadSeconds)}/s`;
    report('relay', {
      title: 'The relay',
      rows: [
        {
          what: 'relay of a backlog, beside a bare producer of kafkajs with the same batches',
          aim: '≥ 0.9',
          ours: middle('relay'),
          beside: middle('kafkajs'),
          ratio: ofBare,
          isReached: ofBare.median >= 0.9,
        },
        {
          what: "the processor's time of the relay for an event, beside that of the bare producer",
          ours: cpu('relay'),
          beside: cpu('kafkajs'),
          ratio: ratio(drained.map(({ relay, kafkajs: peer }) => relay.cpuUs / peer.cpuUs)),
        },
        ...Object.keys(others).map((name) => ({
          what: `the same batches by ${name}, beside kafkajs`,
          ours: middle(name),
          beside: middle('kafkajs'),
          ratio: ratio(drained.map((each) => each[name].perSecond / each.kafkajs.perSecond)),
        })),
        ...[atHalf, atQuarter].flatMap((each) => [
          {
            what: `append → subscriber of Kafka, at ${each.rate} appends a second`,
            ...(each === atHalf && { aim: 'p99 ≤ 50 ms', isReached: each.p99 <= 50 }),
            ours: `p50 ${each.p50.toFixed(1)} ms, p99 ${each.p99.toFixed(1)} ms`,
          },
          {
            what: 'the processors’ time for each of these, in µs',
            ours: inWords(each.used),
            beside: `${Math.round(each.busyShare * 100)} % of the two cores were in use`,
          },
        ]),
        {
          what: 'appends with three relays beside those with one',
          aim: '≥ 0.95',
          ours: `${Math.round(median(fast.three))}/s`,
          beside: `${Math.round(median(fast.one))}/s`,
          ratio: ofThree,
          isReached: ofThree.median >= 0.95,
        },
        {
          what: 'statements of three relays beside those of one, during appends',
          ours: looks('three'),
          beside: looks('one'),
        },
        {
          what: 'peak of resident memory of the relay in the backlogs',
          aim: '≤ 256 MiB',
          ours: `${relayMiB} MiB`,
          isReached: relayMiB <= 256,
        },
      ],
      invariants: [
        {
          what: `each of ${appended.length} appended events came to the subscriber (${verdict.lost} lost)`,
          held: verdict.lost === 0,
        },
        { what: 'the events of each stream came in the order of their versions', held: verdict.inOrder },
      ],
      isQuiet,
      notes: [
        'An event waits until a batch before it is at the broker, for the relay’s look at the ledger, at most 10 ms, and for its own batch. The broker, PostgreSQL, the relay, the appends and the subscriber share two cores.',
        'The slowest of a hundred wait for a processor. Samples of the processors’ time of each process, ten a second, show them where the collection of the relay’s garbage takes some 90 ms of both cores, which it does each one to two seconds, and where autovacuum runs; the broker then waits longer for a core than it runs. Half of the appends a second take no half of the processors: their batches are smaller. By --cpu-prof the relay spends, of each 100 µs: collection of garbage 16, kafkajs 15, writes to its sockets 23, making the requests 9, reading the events 9. To come to 50 ms on two cores, it would have to leave less garbage; a cheaper client of Kafka, such as @platformatic/kafka above, would save about a quarter of its part, which is a fifth of all.',
        `The subscriber got ${verdict.more} messages more than once; the backlog is sent again in each round.`,
      ],
      raw: { drained, fast, atHalf, atQuarter, statements },
    });
  });
}

try {
  await main();
} finally {
  await place.clear();
}

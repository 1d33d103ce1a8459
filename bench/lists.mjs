/**
 * Measures reads of the API beside pgbench with the same statements, in the stack that `npm start` runs.
 *
 *     npm run build && node bench/lists.mjs [ROUNDS] [SCHEDULES]
 *
 * One account has the schedules, each with a run and a backup; another one has as many again. Pages of 100 from 16 connections: the first
 * page, page 1,000 (or the last), and one schedule, each beside pgbench with 16 clients that runs the statement of the gateway with the
 * same values. After the rounds, the pages of the API, read one after the other, must be the rows of the view, each once and in order.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { getBackups, getSchedules, getSchedulesId, pathOf } from '../dist/libs/contracts/src/index.js';
import { BackupTexts, ScheduleTexts } from '../dist/libs/read-model/src/index.js';
import { load, quantile, request } from './load.mjs';
import { inWords, middleOf, processorTimes, usedSince } from './processor-time.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { postgresTool, Workplace } from './stack.mjs';
import { startTrove } from './trove.mjs';

const run = promisify(execFile);
const rounds = Number(process.argv[2] ?? 5);
const schedules = Number(process.argv[3] ?? 101_000);
const pageSize = 100;
const clients = 16;
const seconds = 2;
const inOneRound = 1_000;
const say = (text) => process.stdout.write(`${text}\n`);
const place = new Workplace();

/** Rows of the views without their events: a read looks at nothing else. */
async function fill(database, accountId) {
  const rows = `from generate_series(1, ${schedules}) n`;
  const made = "timestamptz '2026-01-01T00:00:00Z' + n * interval '1 second'";
  await database.query(
    `with made as (select gen_random_uuid() as id, gen_random_uuid() as instance, n ${rows}), schedule as (
       insert into schedule_view select id, $1, instance, n % 8, n % 24, n % 60, 2, '{IAD,ORD}', false, ${made}, ${made}, 1 from made
     ), run as (
       insert into run_view (id, account_id, instance_id, schedule_id, slot_at, outcome, created_at, version, type)
       select gen_random_uuid(), $1, instance, id, ${made}, 'ran', ${made}, 1, 'full' from made
     )
     insert into backup_view (id, account_id, instance_id, schedule_id, slot_at, trigger, type, name, datastore_type, datastore_version,
       copy_to, status, attempt, region, location, size_bytes, sha256, created_at, started_at, ended_at, updated_at, version, position)
     select gen_random_uuid(), $1, instance, id, ${made}, 'slot', 'full', 'nightly', 'postgresql', '18', '{}', 'COMPLETED', 1, 'LON',
       'backups/' || id, 5000000, repeat('a', 64), ${made}, ${made}, ${made}, ${made}, 3, n from made`,
    [accountId],
  );
}

/** The statement that the gateway runs, with its values. */
async function statementOf(read) {
  let sent;
  const session = {
    query: (statement) => {
      sent = statement;
      return Promise.resolve({ rows: [] });
    },
  };
  const dataSource = { logger: { logQuery: () => {} } };
  const runner = { dataSource, connect: () => Promise.resolve(session), release: () => Promise.resolve() };
  const database = { createQueryRunner: () => runner };
  await read(new ScheduleTexts(database), new BackupTexts(database)).catch(() => {});
  return sent;
}

/** A value as PostgreSQL reads it. */
function asText(value) {
  if (Array.isArray(value)) return `{${value.join(',')}}`;
  return value instanceof Date ? value.toISOString() : value;
}

async function pgbenchOf(stack, name, { text, values }) {
  const script = join(place.folder, `${name}.sql`);
  // pgbench takes each word behind a colon for a variable, in a format of times too.
  const plain = text.replaceAll('HH24:MI:SS', 'HH24":"MI":"SS');
  writeFileSync(
    script,
    `${plain
      .replace(/\$(\d+)/g, ':v$1')
      .replace(/\s*\n\s*/g, ' ')
      .trim()};\n`,
  );
  const given = values.flatMap((value, at) => ['-D', `v${at + 1}=${asText(value)}`]);
  return async () => {
    const args = [
      '-n',
      '-M',
      'prepared',
      '-f',
      script,
      '-c',
      clients,
      '-j',
      1,
      '-T',
      seconds,
      ...given,
      stack.postgres,
    ];
    const { stdout } = await run(postgresTool('pgbench') ?? 'pgbench', args.map(String));
    const perSecond = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
    if (!(perSecond > 0)) throw new Error(`pgbench ran nothing: ${stdout}`);
    return perSecond;
  };
}

async function main() {
  const stack = await place.startStack({ args: ['--broker', 'embedded'], env: { STRONGROOM_RATE_LIMITS: 'off' } });
  const { accountId } = stack;
  const token = stack.tokens.admin;
  const database = new pg.Client({ connectionString: stack.postgres });
  await database.connect();
  place.undo.push(() => database.end());
  say(`Filling the views with ${2 * schedules} schedules …`);
  for (const account of [accountId, 'another']) await fill(database, account);
  await database.query('vacuum analyze schedule_view, run_view, backup_view');
  const at = async (offset) => {
    const { rows } = await database.query(
      'select id from schedule_view where account_id = $1 order by id offset $2 limit 1',
      [accountId, offset],
    );
    return rows[0].id;
  };
  const lastPage = Math.min(1_000, Math.floor(schedules / pageSize));
  const farMarker = await at((lastPage - 1) * pageSize - 1);
  const one = await at(Math.floor(schedules / 2));
  const now = new Date();
  const list = pathOf(getSchedules, { accountId });
  const reads = {
    first: { path: list, read: (texts) => texts.page(accountId, { limit: pageSize }, now) },
    far: {
      path: `${list}?marker=${farMarker}`,
      read: (texts) => texts.page(accountId, { limit: pageSize, marker: farMarker }, now),
    },
    one: { path: pathOf(getSchedulesId, { accountId, id: one }), read: (texts) => texts.one(accountId, one, now) },
    backups: {
      path: pathOf(getBackups, { accountId }),
      read: (_, texts) => texts.page(accountId, { limit: 20 }, { planned: {}, minimumMs: 0 }),
    },
  };
  for (const [name, each] of Object.entries(reads)) {
    each.pgbench = await pgbenchOf(stack, name, await statementOf(each.read));
    each.found = [];
  }
  const pids = { api: stack.pids.api };
  const used = () => processorTimes(database, pids);
  const get = async (path, count) => {
    const requestOf = () => request('GET', path, { token });
    const answers = await load({ url: stack.api, connections: clients, count, requestOf });
    if (answers.statuses[200] !== count) throw new Error(`not all were answered: ${JSON.stringify(answers.statuses)}`);
    return answers;
  };
  const trove = await startTrove(place, 1_000);
  say(trove.why ?? 'trove-api serves');
  let isQuiet = true;
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, { path, pgbench, found }] of Object.entries(reads)) {
      isQuiet = (await quiet()) && isQuiet;
      const usedBefore = await used();
      const ours = await get(path, round === 0 ? 200 : inOneRound);
      const processorMicroseconds = usedSince(usedBefore, await used(), round === 0 ? 200 : inOneRound);
      await quiet();
      const peer = await pgbench();
      const result = {
        round,
        perSecond: ours.perSecond,
        p50: quantile(ours.took, 0.5),
        p99: quantile(ours.took, 0.99),
        peer,
        processorMicroseconds,
      };
      if (name === 'backups' && round > 0 && trove.text !== undefined) {
        await quiet();
        const answers = await load({ url: trove.url, connections: 4, count: 24, requestOf: () => trove.text });
        if (answers.statuses[200] !== 24) throw new Error(`trove-api answered ${JSON.stringify(answers.statuses)}`);
        result.trove = answers.perSecond;
      }
      // The first round warms up.
      if (round > 0) found.push(result);
      say(
        `${name}: ${JSON.stringify(result, (_, value) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value))}`,
      );
    }
  }
  const isWhole = await readsEach(stack, database, list, token);
  const row = (what, { found }, aim) => {
    const share = ratio(found.map(({ perSecond, peer }) => perSecond / peer));
    const middle = (name) => ratio(found.map((each) => each[name])).median;
    return {
      what,
      ...(aim !== undefined && { aim: `≥ ${aim} × pgbench`, isReached: share.median >= aim }),
      ours: `${middle('perSecond').toFixed(0)}/s, p50 ${middle('p50').toFixed(1)} ms, p99 ${middle('p99').toFixed(1)} ms`,
      beside: `pgbench ${middle('peer').toFixed(0)}/s`,
      ratio: share,
    };
  };
  const { first, far } = reads;
  const titles = {
    first: `GET /schedules, page 1 of ${pageSize}`,
    far: `GET /schedules, page ${lastPage} of ${pageSize}`,
    one: 'GET /schedules/{id}',
    backups: 'GET /backups, page 1 of 20',
  };
  const flat = ratio(far.found.map(({ p50 }, round) => p50 / first.found[round].p50));
  report('lists', {
    title: 'Reads of the API',
    rows: [
      row(titles.first, first, 0.5),
      row(titles.far, far, 0.5),
      {
        what: `page ${lastPage} against page 1, p50`,
        aim: '≤ 1.2',
        ours: `${ratio(far.found.map(({ p50 }) => p50)).median.toFixed(1)} ms`,
        beside: `${ratio(first.found.map(({ p50 }) => p50)).median.toFixed(1)} ms`,
        ratio: flat,
        isReached: flat.median <= 1.2,
      },
      row(titles.one, reads.one),
      row(titles.backups, reads.backups, 0.5),
      ...besideTrove(trove, reads.backups.found),
      ...Object.entries(titles).map(([name, what]) => ({
        what: `the processors’ time for each ${what}, in µs`,
        ours: inWords(middleOf(reads[name].found.map((each) => each.processorMicroseconds))),
        beside: `the two cores have ${Math.round(2e6 / ratio(reads[name].found.map(({ peer }) => peer)).median)} for each of pgbench`,
      })),
    ],
    invariants: [
      { what: 'the pages, one after the other, are the rows of the view, each once and in order', held: isWhole },
    ],
    isQuiet,
    notes: [
      `The account has ${schedules} schedules, and another account as many; ${clients} connections read. pgbench runs the statement that the gateway runs, prepared, with the same values.`,
      trove.why ??
        'trove-api of Debian runs on SQLite with 1,000 backups, one worker, and without the filter that asks Keystone.',
      'One schedule has no aim: the statement costs so little that HTTP alone bounds it.',
      'The two cores bound it. A page costs PostgreSQL the same as in pgbench, and the api and this client come on top: the rows below tell the time of each. The api writes the text that the database has made, and parses none of it; a request without any work costs it about 0.15 ms. So a page that costs PostgreSQL less than all of that together stays below half of pgbench, until the api needs less for a request. By a profile of the api beside GET /backups, of each 100 µs: giving statements to PostgreSQL’s socket 32, most of which is the wait for the processor that the session of PostgreSQL takes at once; our code and its libraries 22, in which no function has more than 2; collection of garbage 13; writing the answer to its socket 7; the log 4.',
    ],
    raw: Object.fromEntries(Object.entries(reads).map(([name, { found }]) => [name, found])),
  });
}

function besideTrove({ text, page }, found) {
  if (text === undefined) return [];
  const times = ratio(found.map(({ perSecond, trove }) => perSecond / trove));
  return [
    {
      what: `GET /backups, page 1 of 20, beside trove-api's page of ${page}`,
      aim: '≥ 50 × trove-api',
      ours: `${ratio(found.map(({ perSecond }) => perSecond)).median.toFixed(0)}/s`,
      beside: `trove-api ${ratio(found.map(({ trove }) => trove)).median.toFixed(1)}/s`,
      ratio: times,
      isReached: times.median >= 50,
    },
  ];
}

/** Reads some pages by their links: all of them would take as long as the rounds. */
async function readsEach(stack, database, list, token) {
  const { rows } = await database.query('select id from schedule_view where account_id = $1 order by id limit $2', [
    stack.accountId,
    20 * pageSize,
  ]);
  const seen = [];
  for (let href = `${stack.api}${list}`; href !== undefined && seen.length < rows.length; ) {
    const answer = await (await fetch(href, { headers: { 'x-auth-token': token } })).json();
    seen.push(...answer.schedules.map(({ id }) => id));
    href = answer.links[0]?.href;
  }
  return JSON.stringify(seen) === JSON.stringify(rows.map(({ id }) => id));
}

try {
  await main();
} finally {
  await place.clear();
}

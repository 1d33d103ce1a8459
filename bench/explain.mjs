/**
 * Measures `GET /explain/{id}` on a ledger of many events, most of them of one account, in a process of the API on a PostgreSQL of its own, with the
 * data on the disk.
 *
 *     npm run build && node bench/explain.mjs [--events 1000000] [--rounds 5]
 *
 * Each kind of thing is asked for by 8 connections, some hundred of them in turn. In turns with it, 8 sessions of a bare client run the same
 * statements with the same values. Every answer is compared with what the events of its streams give, which are read by the names of the
 * streams and folded here.
 */
import { parseArgs } from 'node:util';
import pg from 'pg';
import { getExplainId, pathOf } from '../dist/libs/contracts/src/index.js';
import { asksOf, pageSize, small, statementsOf } from './explained-asks.mjs';
import { ExplainedLedger } from './explained-ledger.mjs';
import { FoldedExplanations } from './folded-explanations.mjs';
import { load, quantile, request } from './load.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { scratchPostgres, withClient } from './scratch.mjs';
import { accountId, Services, token } from './services.mjs';
import { Workplace } from './stack.mjs';

const { values: asked } = parseArgs({ options: { events: { type: 'string' }, rounds: { type: 'string' } } });
const wanted = Number(asked.events ?? 1_000_000);
const rounds = Number(asked.rounds ?? 5);
const clients = 8;
const inOneRound = 400;
const mostMs = 200;
const tokens = { [small]: 'bench-small' };

const say = (text) => process.stdout.write(`${text}\n`);
const place = new Workplace();

const pathOfAsk = ({ id, query = {}, account = accountId }) =>
  `${pathOf(getExplainId, { accountId: account, id })}?${new URLSearchParams(query)}`;

/** The same statements by sessions of a bare client. @returns how long those of each answer took, in order */
async function bareClients(sessions, statements, count) {
  const took = [];
  let next = 0;
  await Promise.all(
    sessions.map(async (session) => {
      while (next < count) {
        const begun = performance.now();
        for (const { text, values } of statements[next++ % statements.length]) await session.query(text, values);
        took.push(performance.now() - begun);
      }
    }),
  );
  return took.sort((one, other) => one - other);
}

async function connected(url) {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' });
  await client.connect();
  place.undo.push(() => client.end());
  return client;
}

async function filled(url, ledger) {
  say(`Writing a ledger of ${wanted} events …`);
  await withClient(url, async (client) => {
    await client.query('set synchronous_commit = off');
    await ledger.write(client, say);
    await client.query('vacuum analyze ledger_event');
  });
}

async function measureRound(kind, round, api, sessions) {
  const requestOf = (number) => {
    const ask = kind.asks[number % kind.asks.length];
    return request('GET', pathOfAsk(ask), { token: ask.account === undefined ? token : tokens[ask.account] });
  };
  const isQuiet = await quiet();
  const ours = await load({ url: api, connections: clients, count: inOneRound, requestOf, keep: () => true });
  if (ours.statuses[200] !== inOneRound) throw new Error(`not all were answered: ${JSON.stringify(ours.statuses)}`);
  await quiet();
  const peer = await bareClients(sessions, kind.statements, inOneRound);
  const at = (times) => ({ p50: quantile(times, 0.5), p99: quantile(times, 0.99) });
  const found = { round, isQuiet, perSecond: ours.perSecond, ...at(ours.took), peer: at(peer) };
  return { found, bodies: ours.bodies };
}

async function main() {
  const url = await scratchPostgres(place, { max_wal_size: '4GB' });
  const ledger = new ExplainedLedger(accountId, wanted);
  await filled(url, ledger);
  const services = new Services(place, {
    url,
    tokens,
    env: { STRONGROOM_FEED: 'embedded', STRONGROOM_RATE_LIMITS: 'off' },
  });
  await services.start(1, ['api']);
  const [api] = services.urls;
  const sessions = await Promise.all(Array.from({ length: clients }, () => connected(url)));
  const [client] = sessions;
  const { rows } = await client.query(
    'select count(*)::int as events, count(*) filter (where account_id = $1)::int as large, pg_total_relation_size($2) as bytes from ledger_event',
    [accountId, 'ledger_event'],
  );
  const [{ events, large, bytes }] = rows;
  const kinds = {};
  for (const [name, asks] of Object.entries(await asksOf(ledger, client))) {
    const statements = [];
    for (const ask of asks) statements.push(await statementsOf(client, ask));
    kinds[name] = { asks, statements, found: [], compared: 0, differences: 0 };
  }
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, kind] of Object.entries(kinds)) {
      const { found, bodies } = await measureRound(kind, round, api, sessions);
      // The first round warms up.
      if (round > 0) kind.found.push(found);
      kind.folded ??= await FoldedExplanations.of(client, kind.asks, pageSize);
      kind.compared += bodies.length;
      kind.differences += kind.folded.differencesOf(bodies);
      say(
        `${name}: ${JSON.stringify(found, (_, value) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value))}`,
      );
    }
  }
  const all = Object.values(kinds);
  const sum = (name) => all.reduce((total, each) => total + each[name], 0);
  report('explain', {
    title: asked.events === undefined ? 'Why something is as it is' : `Why something is as it is, ${wanted} events`,
    run: asked.events === undefined ? '' : `--events ${wanted}`,
    rows: Object.entries(kinds).map(([name, { found }]) => rowOf(name, found)),
    invariants: [
      {
        what: `each of ${sum('compared')} answers is what the events of its streams give, its summary, its sentences and its next page`,
        held: sum('differences') === 0,
      },
    ],
    isQuiet: all.every(({ found }) => found.every((each) => each.isQuiet)),
    notes: [
      `The ledger has ${events} events, ${Math.round((100 * large) / events)} % of one account, in ${(bytes / 1e9).toFixed(1)} GB with its indexes. ${clients} connections ask, for a page of ${pageSize} sentences.`,
      'Beside it, as many sessions of a bare client run the statements of the same answers, and do nothing with the rows.',
    ],
    raw: Object.fromEntries(Object.entries(kinds).map(([name, { found }]) => [name, found])),
  });
}

function rowOf(name, found) {
  const middle = (of) => ratio(found.map(of)).median.toFixed(1);
  const worst = ratio(found.map(({ p99 }) => p99)).median;
  return {
    what: `GET /explain, ${name}`,
    aim: `p99 ≤ ${mostMs} ms`,
    ours: `p50 ${middle(({ p50 }) => p50)} ms, p99 ${middle(({ p99 }) => p99)} ms, ${ratio(found.map(({ perSecond }) => perSecond)).median.toFixed(0)}/s`,
    beside: `p50 ${middle(({ peer }) => peer.p50)} ms, p99 ${middle(({ peer }) => peer.p99)} ms`,
    ratio: ratio(found.map(({ p50, peer }) => peer.p50 / p50)),
    isReached: worst <= mostMs,
  };
}

try {
  await main();
} finally {
  await place.clear();
}

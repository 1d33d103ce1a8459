/**
 * Measures how soon the console shows the matrix, in the Chromium of this machine, in the stack that `npm start` runs.
 *
 *     npm run build && node bench/console.mjs [ROUNDS] [SCHEDULES]
 *
 * An account has the schedules, each with fourteen backups (two fulls with six incrementals on each) and their copies in every region of
 * the stack, which are five. A round opens the console in a new page that is signed in: until the first row of the matrix is
 * there, and until all of it was read. Beside it, one page of `GET /restorable`. After the rounds, the list must have every schedule once, and a point in every region.
 */
import { existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import pg from 'pg';
import { chromium } from 'playwright-core';
import { getConsole, getConsoleSession, getRegions, getRestorable, pathOf } from '../dist/libs/contracts/src/index.js';
import { load, quantile, request } from './load.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { Workplace } from './stack.mjs';

const rounds = Number(process.argv[2] ?? 5);
const schedules = Number(process.argv[3] ?? 1_000);
const [days, cycle] = [14, 7];
const say = (text) => process.stdout.write(`${text}\n`);
const place = new Workplace();

/** Rows of the views without their events: a read looks at nothing else. */
async function fill(database, accountId, { home, others }) {
  await database.query(
    `create temp table made as
       select gen_random_uuid() as id, gen_random_uuid() as instance, n from generate_series(1, ${schedules}) n`,
  );
  await database.query(
    `create temp table taken as
       select gen_random_uuid() as id, m.id as schedule, m.instance, day,
         date_trunc('day', now()) - make_interval(days => ${days} - day) as at from made m, generate_series(1, ${days}) day`,
  );
  await database.query(
    `insert into instance_view (id, account_id, name, datastore_type, datastore_version, created_at, updated_at, version)
     select instance, $1, 'server-' || n, 'postgresql', '18', now(), now(), 1 from made`,
    [accountId],
  );
  await database.query(
    `insert into schedule_view select id, $1, instance, n % 8, n % 24, n % 60, 2, $2::text[], false, now(), now(), 1 from made`,
    [accountId, others],
  );
  await database.query(
    `insert into run_view (id, account_id, instance_id, schedule_id, slot_at, outcome, created_at, version, type)
     select id, $1, instance, schedule, at, 'ran', at, 1, 'full' from taken`,
    [accountId],
  );
  await database.query(
    `insert into backup_view (id, account_id, instance_id, schedule_id, slot_at, trigger, type, parent_id, name, datastore_type,
       datastore_version, copy_to, status, attempt, region, location, size_bytes, sha256, created_at, started_at, ended_at, updated_at,
       version, position)
     select t.id, $1, t.instance, t.schedule, t.at, 'slot', case when p.id is null then 'full' else 'incremental' end, p.id, 'nightly',
       'postgresql', '18', $2::text[], 'COMPLETED', 1, $3::text, 'backups/' || t.id, 5000000, repeat('a', 64), t.at, t.at, t.at, t.at, 3, t.day
     from taken t left join taken p on p.schedule = t.schedule and p.day = t.day - 1 and p.day % ${cycle} <> 0`,
    [accountId, others, home],
  );
  await database.query(
    `insert into copy_view (id, account_id, instance_id, backup_id, region, source_region, status, attempt, size_bytes, sha256, location,
       created_at, owed_at, started_at, ended_at, updated_at, version)
     select gen_random_uuid(), $1, t.instance, t.id, region, $3::text, 'COMPLETED', 1, 5000000, repeat('a', 64), 'backups/' || t.id,
       t.at, t.at, t.at, t.at, t.at, 3
     from taken t, unnest($2::text[]) as region`,
    [accountId, others, home],
  );
  await database.query('vacuum analyze schedule_view, run_view, backup_view, copy_view, instance_view');
}

/** The Chromium of this machine. */
function program() {
  const { PATH = '', CHROMIUM = 'chromium' } = process.env;
  const found = [CHROMIUM, ...PATH.split(delimiter).map((folder) => join(folder, CHROMIUM))].find(
    (path) => isAbsolute(path) && existsSync(path),
  );
  if (found === undefined) throw new Error(`there is no ${CHROMIUM} in the PATH`);
  return found;
}

/** Notes in the page when the first row is there, and when the summary says that all was read. */
const noting = `
  globalThis.noted = {};
  new MutationObserver(() => {
    if (!noted.first && document.querySelector('tbody tr')) requestAnimationFrame(() => { noted.first ??= performance.now(); });
    if (!noted.all && /^Restorable in/.test(document.querySelector('.summary')?.textContent ?? '')) noted.all = performance.now();
  }).observe(document, { childList: true, subtree: true, characterData: true });`;

async function main() {
  const stack = await place.startStack({ args: ['--broker', 'embedded'], env: { STRONGROOM_RATE_LIMITS: 'off' } });
  const { accountId } = stack;
  const token = stack.tokens.admin;
  const url = (operation) => `${stack.api}${pathOf(operation, { accountId })}`;
  const read = async (href) => (await fetch(href, { headers: { 'x-auth-token': token } })).json();
  const { regions } = await read(url(getRegions));
  const home = regions.find((region) => region.home).name;
  const others = regions.filter((region) => !region.home).map(({ name }) => name);
  const database = new pg.Client({ connectionString: stack.postgres });
  await database.connect();
  place.undo.push(() => database.end());
  say(`Filling the views with ${schedules} schedules and ${schedules * days} backups in ${regions.length} regions …`);
  await fill(database, accountId, { home, others });
  const browser = await chromium.launch({
    executablePath: program(),
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  place.undo.push(() => browser.close());
  const found = [];
  let isQuiet = true;
  for (let round = 0; round <= rounds; round += 1) {
    isQuiet = (await quiet()) && isQuiet;
    const context = await browser.newContext();
    const session = await context.request.post(`${stack.api}${getConsoleSession.path}`, {
      headers: { 'x-auth-token': token, origin: new URL(stack.api).origin },
    });
    if (!session.ok()) throw new Error(`the session was refused: ${session.status()} ${await session.text()}`);
    const page = await context.newPage();
    await page.addInitScript(noting);
    await page.goto(`${stack.api}${getConsole.path}`);
    await page.getByText(/^Restorable in/).waitFor({ timeout: 120_000 });
    // The policy of the page lets nothing wait in it for a condition that is text.
    const noted = await page.evaluate(
      'new Promise((told) => requestAnimationFrame(() => requestAnimationFrame(() => told(globalThis.noted))))',
    );
    await context.close();
    const requestOf = () => request('GET', pathOf(getRestorable, { accountId }), { token });
    const pages = await load({ url: stack.api, connections: 1, count: 20, requestOf });
    const result = { first: noted.first, all: noted.all, page: quantile(pages.took, 0.5) };
    // The first round warms up.
    if (round > 0) found.push(result);
    say(JSON.stringify(result));
  }
  const listed = [];
  for (let href = url(getRestorable); href; ) {
    const { restorable, links } = await read(href);
    listed.push(...restorable);
    href = links.find(({ rel }) => rel === 'next')?.href;
  }
  const row = (what, name, aimMs) => {
    const { median, least, most } = ratio(found.map((each) => each[name]));
    return {
      what,
      ours: `${median.toFixed(0)} ms (${least.toFixed(0)} to ${most.toFixed(0)})`,
      ...(aimMs !== undefined && { aim: `≤ ${aimMs} ms`, isReached: median <= aimMs }),
    };
  };
  report('console', {
    title: 'The console',
    rows: [
      row(`the first rows of the matrix of ${schedules} schedules and ${regions.length} regions`, 'first', 1_000),
      row('the whole matrix', 'all'),
      row('GET /restorable, a page of 100', 'page'),
    ],
    invariants: [
      {
        what: 'the list has every schedule once, with a point in every region',
        held:
          new Set(listed.map(({ id }) => id)).size === schedules &&
          listed.length === schedules &&
          listed.every((each) => each.regions.length === regions.length && each.regions.every(({ newest }) => newest)),
      },
    ],
    isQuiet,
    notes: [
      `Each schedule has ${days} backups, in chains of ${cycle}. The browser runs on the machine of the stack, from an empty cache.`,
    ],
    raw: { found },
  });
}

try {
  await main();
} finally {
  await place.clear();
}

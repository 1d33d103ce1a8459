/**
 * Measures what the copies to one region feel of another region that is away. Backups are copied from a folder to two regions by one process, as a
 * replicator does it: two at a time to each. The regions are buckets of a Versity S3 Gateway, each behind a proxy of its own.
 *
 *     npm run build && node bench/one-region-away.mjs [--backups 40] [--rounds 5]
 *
 * In each round the second region is, in turns: owed nothing, twice, well, hanging, busy (503), resetting amid a body, and crawling. The figures
 * are of how long each copy to the first region took, in all rounds together; the range is that of the rounds. What the second of those turns in
 * which nothing is owed differs from the first is chance.
 */
import { fork } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { copyBackup, openVaults, Traffic } from '../dist/libs/vault/src/index.js';
import { startBucket } from './bucket.mjs';
import { peerProgram } from './peer-programs.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { root, Workplace } from './stack.mjs';
import { storeBytes } from './stored-backup.mjs';

const { values } = parseArgs({
  options: { backups: { type: 'string', default: '40' }, rounds: { type: 'string', default: '5' } },
});
const [backupCount, rounds] = [Number(values.backups), Number(values.rounds)];
const backupBytes = 2_000_000;
const atATime = 2;
/** The pause of a copy that has failed. */
const retryMs = 1_000;
const quietWithinMs = 3_000;
const most = 1.05;
const say = (text) => process.stdout.write(`${text}\n`);
const log = { warn: () => {}, info: () => {}, error: () => {} };

const place = new Workplace();
const wrong = { falseCompleted: [], incomplete: [] };
const found = {};
let isQuiet = true;

async function* chunksOf(bytes) {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** @returns the backup's id and its SHA-256 */
async function store(vault) {
  const backupId = randomUUID();
  const chunks = chunksOf(randomBytes(backupBytes));
  const { sha256 } = await storeBytes(vault, { backupId, chunks, rawBytes: backupBytes });
  return { backupId, sha256 };
}

async function startProxy(url) {
  const child = fork(join(root, 'bench', 'fault-proxy.mjs'), [url]);
  place.undo.push(async () => void child.kill());
  const [{ port }] = await once(child, 'message');
  const become = async (state) => {
    child.send(state);
    await once(child, 'message');
  };
  return { url: `http://127.0.0.1:${port}`, become };
}

/** Makes all copies to a region, some at a time, each again until it is made. @returns how long each took, in milliseconds */
async function copies({ vaults, traffic, backups, region, signal }) {
  const left = [...backups];
  const took = [];
  const lane = async () => {
    for (let backup = left.shift(); backup && !signal.aborted; backup = left.shift()) {
      const begun = performance.now();
      for (let attempt = 1; !signal.aborted; attempt += 1) {
        const isMade = await copyOnce({ vaults, traffic, backup, region, attempt, signal });
        if (isMade) {
          took.push(performance.now() - begun);
          break;
        }
        await delay(retryMs, undefined, { signal }).catch(() => {});
      }
    }
  };
  await Promise.all(Array.from({ length: atATime }, lane));
  return took;
}

async function copyOnce({ vaults, traffic, backup: { backupId, sha256 }, region, attempt, signal }) {
  const permit = await traffic.permits.take([region], `copies to ${region}`, signal).catch(() => undefined);
  try {
    await permit?.also('FROM', signal);
    const [from, to] = [vaults.of('FROM'), vaults.of(region)];
    const moves = (bytes) => permit?.moves(bytes);
    const copied = await copyBackup({ from, to, backupId, attempt, expectedSha256: sha256, signal, moves });
    return copied.sha256 === sha256;
  } catch {
    return false;
  } finally {
    permit?.release();
  }
}

/** @param state of the second region; `idle` when it is owed nothing */
async function turn(name, state, caps, { source, backups, bucket, proxies, round }) {
  isQuiet = (await quiet({ withinMs: quietWithinMs })) && isQuiet;
  await proxies.AWAY.become('well');
  const prefix = `${name.replaceAll(/\W+/g, '-')}-${round}`;
  const urls = new Map([['FROM', source]]);
  const truths = new Map();
  for (const region of ['NEAR', 'AWAY']) {
    const url = bucket.vaultAt(`${prefix}/${region}`);
    truths.set(region, new URL(url));
    url.searchParams.set('endpoint', proxies[region].url);
    urls.set(region, url);
  }
  const traffic = new Traffic({ atATime: new Map(Object.entries(caps)) });
  const vaults = openVaults(urls, { traffic });
  await vaults.identify(log);
  if (state !== 'idle') await proxies.AWAY.become(state);
  const ending = new AbortController();
  const work = { vaults, traffic, backups };
  const begunAway = performance.now();
  const away = state === 'idle' ? [] : copies({ ...work, region: 'AWAY', signal: ending.signal });
  // A copy that stands still gives its permit up after ten seconds. That is told apart.
  if (caps.FROM !== undefined) await delay(traffic.permits.stillMs + 1_000 - (performance.now() - begunAway));
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const took = await copies({ ...work, region: 'NEAR', signal: new AbortController().signal });
  const ms = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpu);
  ending.abort(new Error('the round is over'));
  await away;
  await proxies.AWAY.become('well');
  const opened = openVaults(truths);
  await verify(opened, backups, state, prefix);
  found[name] ??= [];
  found[name].push({ ...quantilesOf(took), ms, cpuMs: (user + system) / 1_000, took });
  say(`${name}: ${inWords(found[name].at(-1))}`);
}

/** @param took in milliseconds */
function quantilesOf(took) {
  const sorted = took.toSorted((one, other) => one - other);
  const at = (share) => sorted[Math.ceil(sorted.length * share) - 1];
  return { p50: at(0.5), p99: at(0.99) };
}

const inWords = ({ p50, p99 }) => `p50 ${Math.round(p50)} ms, p99 ${Math.round(p99)} ms`;

async function verify(vaults, backups, state, prefix) {
  for (const { backupId, sha256 } of backups) {
    const near = await vaults
      .of('NEAR')
      .verify(backupId)
      .catch(() => undefined);
    if (near?.sha256 !== sha256) wrong.incomplete.push(`${prefix}: ${backupId}`);
    const isOut = ['hang', 'busy', 'reset', 'crawl'].includes(state);
    // What is sealed there must be whole, and nothing can be whole of what no byte could be written or read back.
    const away = await vaults
      .of('AWAY')
      .manifest(backupId)
      .catch(() => undefined);
    if (away && isOut) wrong.falseCompleted.push(`${prefix}: ${backupId}`);
  }
}

const faults = { hang: 'hangs', busy: 'answers 503', reset: 'resets amid a body', crawl: 'crawls' };
try {
  const versitygw = await peerProgram('versitygw');
  if (!versitygw.path) throw new Error(versitygw.reason);
  const bucket = await startBucket(versitygw.path, place);
  const endpoint = bucket.vaultAt('x').searchParams.get('endpoint');
  const proxies = { NEAR: await startProxy(endpoint), AWAY: await startProxy(endpoint) };
  const folder = join(place.folder, 'source');
  mkdirSync(folder);
  const source = new URL(pathToFileURL(folder).href.replace('file:', 'objects:'));
  const stored = openVaults(new Map([['FROM', source]]));
  await stored.identify(log);
  const backups = [];
  for (let made = 0; made < backupCount; made += 1) backups.push(await store(stored.of('FROM')));
  const turns = [
    ['idle', 'idle', {}],
    ['well', 'well', {}],
    ['idle again', 'idle', {}],
    ...Object.keys(faults).map((state) => [state, state, {}]),
    ['idle, one permit', 'idle', { FROM: 1 }],
    ['hang, one permit', 'hang', { FROM: 1 }],
  ];
  for (let round = 0; round < rounds; round += 1) {
    say(`Round ${round + 1}`);
    for (let at = 0; at < turns.length; at += 1) {
      const [name, state, caps] = turns[(at + round) % turns.length];
      await turn(name, state, caps, { source, backups, bucket, proxies, round });
    }
  }

  const ofAll = (name) => quantilesOf(found[name].flatMap(({ took }) => took));
  const row = (what, name, peer, figure, hasAim) => {
    const ofRounds = ratio(found[name].map((each, round) => each[figure] / found[peer][round][figure]));
    const of = { ...ofRounds, median: ofAll(name)[figure] / ofAll(peer)[figure] };
    const aim = hasAim ? { aim: `≤ ${most} ×`, isReached: of.median <= most } : {};
    return { what: `${what}: ${figure}`, ours: inWords(ofAll(name)), beside: inWords(ofAll(peer)), ratio: of, ...aim };
  };
  const both = (...of) => ['p50', 'p99'].map((figure) => row(of[0], of[1], of[2], figure, of[3]));
  report('one-region-away', {
    title: 'Copies to one region while another is away',
    rows: [
      ...both('nothing is owed to the other region, once more', 'idle again', 'idle', false),
      ...Object.entries(faults).flatMap(([state, what]) => both(`the other region ${what}`, state, 'idle', true)),
      ...both(
        'the other region hangs, and the source allows one transfer at a time',
        'hang, one permit',
        'idle, one permit',
        true,
      ),
      ...both('the other region is well, and is copied to as well', 'well', 'idle', false),
    ],
    invariants: [
      { what: 'nothing was completed in a region that was away', held: wrong.falseCompleted.length === 0 },
      {
        what: 'every copy to the other region was completed, and read back whole after each round',
        held: wrong.incomplete.length === 0,
      },
    ],
    isQuiet,
    notes: [
      'The copies of all rounds are taken together. By what the second turn with nothing owed differs from the first, chance is larger than five percent for the slowest of a hundred; the middle shows what the other region costs.',
      `${backupCount} backups of ${backupBytes / 1e6} MB of random bytes, ${atATime} copies at a time to each region, ${rounds} rounds. Beside it, the other region is owed nothing.`,
      'With one transfer at a time, the copy that hangs has had the permit for ten seconds before the clock starts. In those the others wait.',
      'A copy that fails is tried again after a second. A replicator waits longer, and begins no other copy to a region that no probe reaches.',
    ],
    raw: found,
  });
} finally {
  await place.clear();
}

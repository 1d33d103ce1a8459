/**
 * Measures full backups beside `pg_basebackup -Z client-zstd:level=3,workers=2`, in turns: of a server whose rows compress as databases do,
 * and of one with random bytes.
 *
 *     npm run build && node bench/full-backups.mjs [--gigabytes 1] [--rounds 5]
 *
 * Both are of the PostgreSQL that the system has: the one that npm brings has no pg_basebackup, and that of the tests knows no zstd. Ours
 * reads everything back and compares it. TMPDIR says on which disk it is done.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { PostgresServer } from '../dist/libs/server-processes/src/index.js';
import { fillWithRandomBytes, fillWithRows } from './fillings.mjs';
import { measured } from './measured.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { root, Workplace } from './stack.mjs';

const { values: asked } = parseArgs({
  options: { gigabytes: { type: 'string', default: '1' }, rounds: { type: 'string', default: '5' } },
});
const gigabytes = Number(asked.gigabytes);
const rounds = Number(asked.rounds);
const mostMiB = 256;
const compression = 'client-zstd:level=3,workers=2';
/** The ends of both logs of changes differ by so much at the most. */
const logBytes = 64 * 1_048_576;
const place = new Workplace();
const { folder } = place;
const say = (text) => process.stdout.write(`${text}\n`);

/** The newest PostgreSQL of the system whose pg_basebackup knows zstd. */
function systemPostgres() {
  const versions = spawnSync('sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null'], {
    encoding: 'utf8',
  });
  for (const bin of versions.stdout.trim().split('\n').filter(Boolean).reverse()) {
    const args = ['-D', join(folder, 'none'), '-Ft', '-Z', compression, '-d', 'host=127.0.0.1 port=1'];
    const { stderr } = spawnSync(join(bin, 'pg_basebackup'), args, { encoding: 'utf8' });
    const version = /(\d+)\.(\d+)/.exec(spawnSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout);
    if (version && /connection to server/.test(stderr)) return { bin: realpathSync(bin), version };
  }
  throw new Error('There is no PostgreSQL here whose pg_basebackup knows zstd (Debian: postgresql).');
}

/** The form in which the npm package has its programs. */
function asPackage({ bin, version }) {
  const programs = join(folder, 'programs');
  mkdirSync(programs);
  writeFileSync(join(programs, 'package.json'), JSON.stringify({ version: `${version[1]}.${version[2]}.0` }));
  symlinkSync(join(bin, '..'), join(programs, 'native'));
  return programs;
}

async function startServer(name, fill, programs) {
  const password = 'bench';
  const server = await PostgresServer.start({
    directory: join(folder, name.replace(' ', '-')),
    password,
    programs,
    settings: { fsync: 'off', max_wal_size: '8GB', shared_buffers: '256MB', wal_level: 'replica' },
    logFile: join(folder, 'server.log'),
  });
  place.undo.push(() => server.stop());
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  await fill(client, gigabytes);
  await client.query('checkpoint');
  await client.query('select pg_switch_wal()');
  await client.query('checkpoint');
  await client.end();
  // Otherwise the first backup would wait for what the filling has left to be written.
  spawnSync('sync');
  return { server, password };
}

async function ours({ server, password }) {
  const vault = join(folder, 'vault');
  rmSync(vault, { recursive: true, force: true });
  mkdirSync(vault);
  const job = JSON.stringify({ port: server.port, password, vault: pathToFileURL(vault).href });
  const child = spawn(process.execPath, [join(root, 'bench', 'backup-process.mjs'), job], {
    env: { ...process.env, NODE_OPTIONS: '--max-old-space-size=128' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  child.stdout.on('data', (text) => {
    told += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the backup ended with ${code}`);
  return JSON.parse(told);
}

async function theirs({ server }, bin) {
  const target = join(folder, 'theirs');
  rmSync(target, { recursive: true, force: true });
  const figures = await measured([
    ...[join(bin, 'pg_basebackup'), '-d', server.url(), '-D', target, '-Ft', '-X', 'fetch', '-c', 'fast'],
    ...['-Z', compression, '--manifest-checksums=SHA256'],
  ]);
  const sizeBytes = readdirSync(target).reduce((sum, name) => sum + statSync(join(target, name)).size, 0);
  return { ...figures, sizeBytes };
}

function unpackedBytes() {
  const { stdout } = spawnSync('sh', ['-c', `zstd -dcq '${join(folder, 'theirs', 'base.tar.zst')}' | wc -c`], {
    encoding: 'utf8',
  });
  return Number(stdout);
}

try {
  const system = systemPostgres();
  const programs = asPackage(system);
  const rows = [];
  const invariants = [];
  const raw = {};
  let wasQuiet = true;
  let peak = 0;
  for (const [name, fill] of Object.entries({ rows: fillWithRows, 'random bytes': fillWithRandomBytes })) {
    say(`Filling a server with ${gigabytes} GB: ${name} …`);
    const server = await startServer(name, fill, programs);
    const taken = { ours: [], theirs: [] };
    for (let round = 0; round < rounds; round += 1) {
      const turns = [
        async () => taken.ours.push(await ours(server)),
        async () => taken.theirs.push(await theirs(server, system.bin)),
      ];
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) {
        wasQuiet = (await quiet({ withinMs: 5_000 })) && wasQuiet;
        await turn();
      }
      const [a, b] = [taken.ours.at(-1), taken.theirs.at(-1)];
      say(
        `${name}: ours ${a.seconds.toFixed(2)} s, CPU ${a.cpuSeconds.toFixed(2)} s (engine ${a.engineCpuSeconds.toFixed(2)}), ${a.peakMiB} MiB; pg_basebackup ${b.seconds.toFixed(2)} s, CPU ${b.cpuSeconds.toFixed(2)} s`,
      );
    }
    const difference = Math.abs(taken.ours.at(-1).rawBytes - unpackedBytes());
    await server.server.stop();
    const gb = taken.ours[0].rawBytes / 1e9;
    const middle = (of, key) => ratio(taken[of].map((each) => each[key])).median;
    const told = (of) =>
      `${Math.round((gb * 1_000) / middle(of, 'seconds'))} MB/s, ${(middle(of, 'cpuSeconds') / gb).toFixed(2)} s CPU/GB, ${(middle(of, 'sizeBytes') / 1e9).toFixed(2)} GB stored`;
    const faster = ratio(taken.theirs.map(({ seconds }, at) => seconds / taken.ours[at].seconds));
    const cheaper = ratio(taken.ours.map(({ cpuSeconds }, at) => cpuSeconds / taken.theirs[at].cpuSeconds));
    const beside = told('theirs');
    rows.push({
      what: `full backup of ${gb.toFixed(2)} GB, ${name}, read back, beside pg_basebackup`,
      aim: '≥ 1 ×',
      ours: told('ours'),
      beside,
      ratio: faster,
      isReached: faster.median >= 1,
    });
    rows.push({ what: 'the same: the processors’ time', ours: '', beside: '', ratio: cheaper });
    invariants.push({
      what: `every backup was read once more, and was what had been stored (${name})`,
      held: taken.ours.every(({ isWhole }) => isWhole),
    });
    invariants.push({ what: `the server gave both as much, but for its log (${name})`, held: difference < logBytes });
    peak = Math.max(peak, ...taken.ours.map(({ peakMiB }) => peakMiB));
    raw[name] = taken;
  }
  rows.push({
    what: 'memory of the process that stores the backup',
    aim: `≤ ${mostMiB} MiB`,
    ours: `${peak} MiB`,
    isReached: peak <= mostMiB,
  });
  report('full-backups', {
    title: 'Full backups',
    rows,
    invariants,
    isQuiet: wasQuiet,
    notes: [
      `PostgreSQL ${system.version[0]} of the system, \`-Z ${compression} -X fetch -c fast --manifest-checksums=SHA256\`. Both are on the disk at their end; ours was read back too.`,
      'The processors’ time is of the client, ours with the process that speaks with the server; the server’s own is the same for both.',
    ],
    raw,
  });
} finally {
  await place.clear();
}

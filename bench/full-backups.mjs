/**
 * Measures full backups beside `pg_basebackup -Z client-zstd:level=3,workers=2`, in turns: of a server whose rows compress as databases do,
 * and of one with random bytes. Ours is taken encrypted as well, in both formats.
 *
 *     npm run build && node bench/full-backups.mjs [--gigabytes 1] [--rounds 5]
 *
 * Both are of the PostgreSQL that the system has: the one that npm brings has no pg_basebackup, and that of the tests knows no zstd. Ours
 * reads everything back and compares it. TMPDIR says on which disk it is done.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { PostgresServer } from '../dist/libs/server-processes/src/index.js';
import { fillWithRandomBytes, fillWithRows } from './fillings.mjs';
import { measured } from './measured.mjs';
import { report } from './report.mjs';
import { askedRounds, Rounds, say, told } from './rounds.mjs';
import { Workplace } from './stack.mjs';

const asked = askedRounds();
const { gigabytes } = asked;
const compression = 'client-zstd:level=3,workers=2';
/** The ends of both logs of changes differ by so much at the most. */
const logBytes = 64 * 1_048_576;
const place = new Workplace();
const { folder } = place;

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
    // What autovacuum writes while a backup is taken would be in that one alone.
    settings: { fsync: 'off', max_wal_size: '8GB', shared_buffers: '256MB', wal_level: 'replica', autovacuum: 'off' },
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

async function ours({ server, password }, encryption) {
  const vault = join(folder, 'vault');
  rmSync(vault, { recursive: true, force: true });
  mkdirSync(vault);
  return told('backup-process.mjs', { port: server.port, password, vault: pathToFileURL(vault).href, encryption });
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
  const rounds = new Rounds(asked);
  const rows = [];
  const invariants = [];
  const own = [];
  for (const [name, fill] of Object.entries({ rows: fillWithRows, 'random bytes': fillWithRandomBytes })) {
    say(`Filling a server with ${gigabytes} GB: ${name} …`);
    const server = await startServer(name, fill, programs);
    const encrypted = `${name}, encrypted`;
    const inAes = `${name}, encrypted in AES-256-GCM`;
    const peer = `${name}, pg_basebackup`;
    own.push(name, encrypted, inAes);
    const noted = async (as, taking) => {
      const figures = await taking;
      rounds.note(as, { ...figures, gigabytes: (figures.rawBytes ?? unpackedBytes()) / 1e9 });
    };
    await rounds.run([
      [
        () => noted(name, ours(server)),
        () => noted(encrypted, ours(server, 'age')),
        () => noted(inAes, ours(server, 'aes-gcm')),
        () => noted(peer, theirs(server, system.bin)),
      ],
    ]);
    await server.server.stop();
    const [size, theirSize] = [name, peer].map((each) => rounds.found[each].at(-1).gigabytes);
    rows.push(
      rounds.speed(`full backup of ${size.toFixed(2)} GB, ${name}, read back, beside pg_basebackup`, name, peer, 1),
      rounds.cost('the same: the processors’ time', name, peer),
      rounds.speed('the same encrypted, beside not encrypted', encrypted, name),
      rounds.cost('the same: the processors’ time', encrypted, name),
      rounds.speed('encrypted in AES-256-GCM, beside in age’s format', inAes, encrypted),
      rounds.cost('the same: the processors’ time', inAes, encrypted),
    );
    invariants.push(
      {
        what: `every backup was read once more, and was what had been stored (${name})`,
        held: [name, encrypted, inAes].every((each) => rounds.found[each].every(({ isWhole }) => isWhole)),
      },
      {
        what: `the server gave both as much, but for its log (${name})`,
        held: Math.abs(size - theirSize) * 1e9 < logBytes,
      },
    );
  }
  rows.push(rounds.memory('memory of the process that stores the backup', own));
  report('full-backups', {
    title: 'Full backups',
    rows,
    invariants,
    isQuiet: rounds.isQuiet,
    notes: [
      `PostgreSQL ${system.version[0]} of the system, \`-Z ${compression} -X fetch -c fast --manifest-checksums=SHA256\`. Both are on the disk at their end; ours was read back too.`,
      'The processors’ time is of the client, ours with the process that speaks with the server; the server’s own is the same for both.',
      'The two cores bound it: the server, its reading process, zstd and the reading back share them. By perf, of each 100 µs of ours, rows take: zstd 27, JavaScript and Node 25, the system 23, collection of garbage 10, copying in memory 6, SHA-256 3. Random bytes take: JavaScript and Node 25, the system 23, SHA-256 23, collection of garbage 10, zstd 8, copying 7. Ours reads the server in a process of its own, which keeps a hostile server from all secrets but its own, so every byte goes through a socket more than with pg_basebackup; and it proves what it has stored, which pg_basebackup does not.',
      'Of random bytes that are encrypted, 31 of each 100 µs are the collection of garbage: the cipher gives new memory for each 64 KiB, and V8 looks through its whole heap for it. To write into memory that is used again would have to change that.',
      'What is encrypted is so in age’s format for one recipient, unless AES-256-GCM is named, before it leaves the process.',
    ],
    raw: rounds.found,
  });
} finally {
  await place.clear();
}

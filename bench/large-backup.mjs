/**
 * Measures memory and speed of a large backup and its two copies, in the stack that `npm start` runs. One server has rows that
 * compress as databases do; the other has random bytes, whose copies are as large as the server.
 *
 *     npm run build && node bench/large-backup.mjs [GIGABYTES]
 *
 * The resident memory of each service is read four times a second, from before the backup to after the copies. The times are
 * compared with those of other tools on the same bytes: reading the server's data folder, pg_basebackup where it is installed,
 * and `cp` with a sync and a SHA-256 of what was written.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { backUpAndCopy, secondsOf, startCustomer } from './customers.mjs';
import { fillWithRandomBytes, fillWithRows } from './fillings.mjs';
import { apps, postgresTool, root, Workplace } from './stack.mjs';

const run = promisify(execFile);
const gigabytes = Number(process.argv[2] ?? 2);
const limitMiB = 256;

const say = (text) => process.stdout.write(`${text}\n`);
const place = new Workplace();
const { folder } = place;

function residentMiB(pid) {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return found ? Number(found[1]) / 1_024 : 0;
}

async function timed(work) {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1_000;
}

async function peers(server, vaultFolder) {
  const result = {};
  result['read the data folder (tar > /dev/null)'] = await timed(() =>
    run('sh', ['-c', `tar -cf - -C '${server.dataDirectory}' base | cat > /dev/null`]),
  );
  const tools = postgresTool('pg_basebackup');
  if (tools !== undefined) {
    const target = join(folder, 'pg_basebackup');
    const args = [
      '-d',
      server.url(),
      '-D',
      target,
      '-Ft',
      '-X',
      'fetch',
      '-c',
      'fast',
      '-Z',
      'client-gzip:1',
      '--manifest-checksums=SHA256',
    ];
    result['pg_basebackup, gzip -1'] = await timed(() => run(tools, args));
    rmSync(target, { recursive: true });
    const plain = [...args.slice(0, -3), '-Z', 'none', '--manifest-checksums=SHA256'];
    result['pg_basebackup, not compressed'] = await timed(() => run(tools, plain));
    rmSync(target, { recursive: true });
  }
  const copied = join(folder, 'cp');
  result['cp of a stored backup, sync, SHA-256 of the copy'] = await timed(() =>
    run('sh', ['-c', `cp -r '${vaultFolder}' '${copied}' && sync '${copied}'/* && openssl dgst -sha256 '${copied}'/*`]),
  );
  rmSync(copied, { recursive: true });
  return result;
}

async function measure(stack, name, fill) {
  say(`Filling a server with ${gigabytes} GB: ${name} …`);
  const server = await startCustomer(place, name.replace(' ', '-'), fill, gigabytes);
  const resident = () => Object.fromEntries(apps.map((app) => [app, residentMiB(stack.pids[app])]));
  const idle = resident();
  const samples = [];
  say('Backing up and copying …');
  const seen = await backUpAndCopy(stack, server, { to: ['IAD', 'ORD'], sampled: () => samples.push(resident()) });
  const ofBackup = join(fileURLToPath(stack.vaults.DFW), 'backups', seen.id.slice(-2), seen.id);
  const state = readdirSync(ofBackup)
    .filter((name) => name.startsWith('state.'))
    .sort()
    .at(-1);
  const { sealed } = JSON.parse(readFileSync(join(ofBackup, state), 'utf8'));
  const vaultFolder = join(ofBackup, sealed.place);
  const manifest = JSON.parse(readFileSync(join(vaultFolder, 'manifest.json'), 'utf8'));
  const result = {
    filling: name,
    rawBytes: manifest.objects.reduce((sum, object) => sum + object.rawBytes, 0),
    storedBytes: seen.size_bytes,
    backupSeconds: secondsOf(seen),
    copySeconds: Object.fromEntries(seen.copies.map((copy) => [copy.region, secondsOf(copy)])),
    residentMiB: memoryOf(samples, idle),
    samples: samples.length,
    peerSeconds: await peers(server, vaultFolder),
  };
  await server.stop();
  return result;
}

function memoryOf(samples, idle) {
  const highest = (values) => Math.round(Math.max(...values));
  return Object.fromEntries(
    apps.map((app) => {
      const of = samples.map((sample) => sample[app]);
      const half = Math.floor(of.length / 2);
      return [
        app,
        {
          idle: Math.round(idle[app]),
          peak: highest(of),
          peakOfFirstHalf: highest(of.slice(0, half)),
          peakOfSecondHalf: highest(of.slice(half)),
        },
      ];
    }),
  );
}

function report({ filling, rawBytes, storedBytes, backupSeconds, copySeconds, peerSeconds, residentMiB: memory }) {
  say(`\n${filling}: ${(rawBytes / 1e9).toFixed(2)} GB from the server, ${(storedBytes / 1e9).toFixed(2)} GB stored`);
  say(
    `backup, read back and verified: ${backupSeconds.toFixed(1)} s (${(rawBytes / 1e6 / backupSeconds).toFixed(0)} MB/s)`,
  );
  for (const [region, taken] of Object.entries(copySeconds))
    say(`copy to ${region}, read back and verified: ${taken.toFixed(1)} s`);
  for (const [peer, taken] of Object.entries(peerSeconds)) say(`  beside it: ${peer}: ${taken.toFixed(1)} s`);
  say('resident memory, MiB           idle  peak  (first half, second half)');
  for (const [app, { idle: at, peak, peakOfFirstHalf, peakOfSecondHalf }] of Object.entries(memory)) {
    say(
      `  ${app.padEnd(28)} ${String(at).padStart(4)}  ${String(peak).padStart(4)}  (${peakOfFirstHalf}, ${peakOfSecondHalf})${peak > limitMiB ? `  over ${limitMiB}` : ''}`,
    );
  }
}

try {
  const stack = await place.startStack();
  const runs = [];
  for (const [name, fill] of Object.entries({ rows: fillWithRows, 'random bytes': fillWithRandomBytes })) {
    const result = await measure(stack, name, fill);
    report(result);
    runs.push(result);
  }
  const machine = { node: process.version, cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) };
  const results = join(root, 'bench', 'results');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, 'large-backup.json'), `${JSON.stringify({ gigabytes, ...machine, runs }, null, 2)}\n`);
  say('\nWritten to bench/results/large-backup.json.');
} finally {
  await place.clear();
}

/**
 * Measures the memory of each service while a large backup is taken, encrypted, and copied to two regions at the same time: the most that
 * the system says a process has ever had (VmHWM). The stack is that of `npm start`, and the bytes are random, so a copy is as large as the server.
 *
 *     npm run build && node bench/memory-of-copies.mjs [--gigabytes 10] [--vaults s3]
 *
 * TMPDIR says on which disk it is done. It needs room for five times the size.
 */
import { parseArgs } from 'node:util';
import { backUpAndCopy, secondsOf, startCustomer } from './customers.mjs';
import { fillWithRandomBytes } from './fillings.mjs';
import { report } from './report.mjs';
import { mostMiB, say } from './rounds.mjs';
import { apps, peakMiB, Workplace } from './stack.mjs';

const { values: asked } = parseArgs({
  options: { gigabytes: { type: 'string', default: '10' }, vaults: { type: 'string', default: 'folders' } },
});
const gigabytes = Number(asked.gigabytes);
const regions = ['IAD', 'ORD'];
const place = new Workplace();

try {
  const stack = await place.startStack({ args: ['--vaults', asked.vaults] });
  say(`Filling a server with ${gigabytes} GB of random bytes …`);
  const server = await startCustomer(place, 'random', fillWithRandomBytes, gigabytes);
  const peaks = () => Object.fromEntries(apps.map((app) => [app, peakMiB(stack.pids[app])]));
  const idle = peaks();
  const samples = [];
  say('Backing up and copying …');
  const backup = await backUpAndCopy(stack, server, { to: regions, sampled: () => samples.push(peaks()) });
  const end = peaks();
  const half = samples[Math.floor(samples.length / 2)] ?? end;
  const rows = apps.map((app) => ({
    what: `memory of the ${app}, at most`,
    aim: `≤ ${mostMiB} MiB`,
    ours: `${end[app]} MiB; ${idle[app]} before, ${half[app]} after half of the time`,
    isReached: end[app] <= mostMiB,
  }));
  const times = backup.copies.map((copy) => `${copy.region} ${Math.round(secondsOf(copy))} s`).join(', ');
  report('memory-of-copies', {
    title: `Memory of a large backup, in ${asked.vaults === 's3' ? 'buckets' : 'folders'}`,
    run: asked.vaults === 's3' ? '--vaults s3' : '',
    rows,
    invariants: [
      {
        what: 'both copies were verified, and have the SHA-256 of the backup',
        held: backup.copies.every(({ verified, checksum }) => verified && checksum === backup.checksum),
      },
      { what: 'the backup was encrypted', held: backup.encrypted_for.length > 0 },
    ],
    isQuiet: true,
    notes: [
      `${(backup.size_bytes / 1e9).toFixed(2)} GB were stored in ${Math.round(secondsOf(backup))} s, and copied to two regions at a time (${times}).`,
    ],
    raw: { gigabytes, vaults: asked.vaults, idle, half, end },
  });
} finally {
  await place.clear();
}

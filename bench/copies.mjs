/**
 * Measures copies of a backup from vault to vault beside programs that copy files, in turns: between folders beside rclone, and into and
 * out of a bucket of a Versity S3 Gateway on this machine beside s5cmd and rclone.
 *
 *     npm run build && node bench/copies.mjs [--gigabytes 1] [--rounds 5]
 *
 * Ours hashes, writes, makes durable, reads everything back and compares it before a copy counts. TMPDIR says on which disk it is done.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openVaults } from '../dist/libs/vault/src/index.js';
import { startBucket } from './bucket.mjs';
import { measured } from './measured.mjs';
import { peerProgram } from './peer-programs.mjs';
import { report } from './report.mjs';
import { askedRounds, Rounds, say, told } from './rounds.mjs';
import { Workplace } from './stack.mjs';
import { storeBytes } from './stored-backup.mjs';

const asked = askedRounds();
const { gigabytes } = asked;
const mebibyte = 1_048_576;
const place = new Workplace();
const { folder } = place;
const backupId = randomUUID();
let attempt = 0;

/** A block of random bytes, each time with another beginning: nothing of it compresses, and no two blocks are alike. */
async function* bytesOf(count) {
  const block = randomBytes(mebibyte);
  for (let left = count; left > 0; left -= mebibyte) {
    const own = Buffer.from(block);
    randomBytes(64).copy(own);
    yield own.subarray(0, Math.min(mebibyte, left));
  }
}

async function store(url) {
  const vaults = openVaults(new Map([['FROM', url]]));
  await vaults.identify({ warn: () => {}, info: () => {}, error: () => {} });
  const vault = vaults.of('FROM');
  const size = gigabytes * 1e9;
  const sealed = await storeBytes(vault, { backupId, chunks: bytesOf(size), rawBytes: size });
  return { url: url.href, sha256: sealed.sha256, location: sealed.location };
}

function newFolder(name) {
  const path = join(folder, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  return path;
}
const schemed = (scheme, path) => new URL(pathToFileURL(path).href.replace('file:', scheme));

async function digestsIn(path) {
  const found = {};
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(entry.parentPath, entry.name))) hash.update(chunk);
    found[entry.name] = hash.digest('hex');
  }
  return JSON.stringify(Object.entries(found).sort());
}

const rounds = new Rounds(asked);
const wrong = [];
const withoutConfig = ['--config', '/dev/null'];

async function ours(name, from, targets) {
  attempt += 1;
  const to = targets.map(String);
  const figures = await told('copy-process.mjs', { from: from.url, to, backupId, sha256: from.sha256, attempt });
  if (!figures.isProven) wrong.push(name);
  rounds.note(name, figures);
}

/** @param target the folder that it copies into. `isDurable`: what it wrote is to be on the disk, as ours is */
async function theirs(name, command, { target, expected, isDurable, env }) {
  rounds.note(name, await measured(command, { env, durable: isDurable ? target : '' }));
  if ((await digestsIn(target)) !== expected) wrong.push(name);
}

/** Copies from a folder to another one. */
function local(name, from, scheme, rclone) {
  const files = join(folder, from.name, from.location);
  return [
    () => ours(name, from, [schemed(scheme, newFolder('ours'))]),
    async () => {
      const target = newFolder('theirs');
      const command = [rclone.path, 'copy', '--checksum', ...withoutConfig, files, target];
      await theirs(`${name}, rclone`, command, { target, expected: await digestsIn(files), isDurable: true });
    },
  ];
}

function intoBucket(from, bucket, { s5cmd, rclone }) {
  const files = join(folder, from.name, from.location);
  const emptied = (name) => {
    rmSync(join(bucket.folder, name), { recursive: true, force: true });
    return name;
  };
  const by = (name, command) => async () => {
    const target = join(bucket.folder, emptied('theirs'));
    await theirs(`into a bucket, ${name}`, command, { target, expected: await digestsIn(files), env: bucket.env });
  };
  return [
    () => ours('into a bucket', from, [bucket.vaultAt(emptied('ours'))]),
    by('s5cmd', [s5cmd.path, 'cp', `${files}/`, 's3://bench/theirs/']),
    by('rclone', [rclone.path, 'copy', '--checksum', ...withoutConfig, files, 'bench:bench/theirs']),
  ];
}

function outOfBucket(from, bucket, { s5cmd, rclone }) {
  const source = `source/${from.location}`;
  const by = (name, commandTo) => async () => {
    const target = newFolder('theirs');
    const expected = await digestsIn(join(bucket.folder, source));
    const how = { target, expected, isDurable: true, env: bucket.env };
    await theirs(`out of a bucket, ${name}`, commandTo(target), how);
  };
  return [
    () => ours('out of a bucket', from, [schemed('objects:', newFolder('ours'))]),
    by('s5cmd', (target) => [s5cmd.path, 'cp', `s3://bench/${source}/*`, `${target}/`]),
    by('rclone', (target) => [rclone.path, 'copy', '--checksum', ...withoutConfig, `bench:bench/${source}`, target]),
  ];
}

/** A first copy in one region, and in two at a time; and what the disk takes alone to write as many bytes past the page cache, and to read them. */
function regions(from) {
  const to = (names) => names.map((name) => schemed('file:', newFolder(name)));
  const source = join(folder, from.name, from.location, readdirSync(join(folder, from.name, from.location)).sort()[0]);
  const byDisk = (name, count) => async () => {
    const target = newFolder('disk');
    const each = `dd if="$1" of="$2/$n" bs=1M oflag=direct conv=fsync 2>&1 && dd if="$2/$n" of=/dev/null bs=1M iflag=direct 2>&1`;
    const script = `for n in ${[...Array(count).keys()].join(' ')}; do (${each}) & done; wait`;
    rounds.note(name, await measured(['bash', '-c', script, 'bash', source, target]));
    newFolder('disk');
  };
  return [
    () => ours('one region', from, to(['one'])),
    () => ours('two regions', from, to(['one', 'two'])),
    byDisk('the disk, one', 1),
    byDisk('the disk, two', 2),
  ];
}

try {
  const [rclone, s5cmd, versitygw] = [
    await peerProgram('rclone'),
    await peerProgram('s5cmd'),
    await peerProgram('versitygw'),
  ];
  const missing = [rclone, s5cmd, versitygw].flatMap(({ reason }) => reason ?? []);
  if (!rclone.path) throw new Error(rclone.reason);
  say(`Storing a backup of ${gigabytes} GB …`);
  const whole = { name: 'whole', ...(await store(schemed('file:', newFolder('whole')))) };
  const pieces = { name: 'pieces', ...(await store(schemed('objects:', newFolder('pieces')))) };
  const bucket = versitygw.path && s5cmd.path ? await startBucket(versitygw.path, place) : undefined;
  const peers = { s5cmd, rclone };
  const remote = bucket
    ? [intoBucket(pieces, bucket, peers), outOfBucket(await store(bucket.vaultAt('source')), bucket, peers)]
    : [];
  const names = { file: 'a file to another folder', segments: 'segments to another folder' };
  await rounds.run([
    local(names.file, whole, 'file:', rclone),
    local(names.segments, pieces, 'objects:', rclone),
    ...remote,
    regions(whole),
  ]);

  const ways = bucket ? ['into a bucket', 'out of a bucket'] : [];
  const rows = Object.values(names).flatMap((name) => [
    rounds.speed(`${name}, beside rclone copy --checksum`, name, `${name}, rclone`, 2),
    rounds.cost('the same: the processors’ time', name, `${name}, rclone`, 0.5),
  ]);
  for (const way of ways) {
    rows.push(rounds.speed(`${way} of S3, beside s5cmd cp`, way, `${way}, s5cmd`, 1));
    rows.push(rounds.speed(`${way} of S3, beside rclone copy --checksum`, way, `${way}, rclone`, 1.5));
  }
  rows.push(rounds.time('copies to two folders at a time, beside one: the time', 'two regions', 'one region', 1.3));
  rows.push(rounds.time('the disk alone, two files at a time, beside one: the time', 'the disk, two', 'the disk, one'));
  rows.push(rounds.speed('a copy to a folder, beside the disk alone', 'one region', 'the disk, one'));
  const own = [...Object.values(names), ...ways, 'one region', 'two regions'];
  rows.push(rounds.memory('memory of the process that copies', own));
  report('copies', {
    title: 'Copies of a backup',
    rows,
    invariants: [{ what: 'every copy, ours and the others’, had the SHA-256 of its source', held: wrong.length === 0 }],
    isQuiet: rounds.isQuiet,
    notes: [
      `The backup has ${gigabytes} GB of random bytes. Our time is from the request of the copy to its seal: everything is hashed, written, synced, and read back. Theirs is that of the program, and the sync of what it wrote into a folder.`,
      'A copy from folder to folder is bound by the disk and by one thread: the bytes are read from the disk, written, and read again, and are hashed twice, which takes 1.5 s of a processor for a GB where the processor has instructions for SHA-256. By --cpu-prof, SHA-256 is 57 of each 100 µs of that thread for segments. To be faster, hashing would have to go to other threads.',
      'Segments have three syncs each, of the object, its name and its folder, and wait for them; the whole file has two in all.',
      'Copies to two regions at a time need twice the bytes of one disk and twice the hashing of one thread. The disk alone tells what of that is the disk’s.',
      'Into and out of a bucket the processors bound it: the S3 server has the same two cores. s5cmd hashes nothing; ours hashes everything twice. By perf, out of a bucket, of each 100 µs: the system with the sockets and files 42, SHA-256 13, collection of garbage 14 to 20, copying in memory 4. V8 looks through its whole heap for each 20 MB that sockets give; where it is told that its heap may be 200 MiB first, which no service is, the same copy takes 6.3 s of the processors for a GB instead of 8.',
      `rclone ${rclone.version}, s5cmd ${s5cmd.version}; both with their own defaults for what they do at a time. Neither reads back what it has put into a bucket.`,
      ...missing,
    ],
    raw: rounds.found,
  });
} finally {
  await place.clear();
}

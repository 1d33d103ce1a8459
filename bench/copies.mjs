/**
 * Measures copies of a backup from vault to vault beside programs that copy files, in turns: between folders beside rclone, and into and
 * out of a bucket of a Versity S3 Gateway on this machine beside s5cmd and rclone.
 *
 *     npm run build && node bench/copies.mjs [--gigabytes 1] [--rounds 5]
 *
 * Ours hashes, writes, makes durable, reads everything back and compares it before a copy counts. TMPDIR says on which disk it is done.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { manifestFor } from '../dist/libs/contracts/src/index.js';
import { freePort } from '../dist/libs/server-processes/src/index.js';
import { manifestBytes, openVaults } from '../dist/libs/vault/src/index.js';
import { measured } from './measured.mjs';
import { peerProgram } from './peer-programs.mjs';
import { quiet } from './quiet.mjs';
import { ratio, report } from './report.mjs';
import { root, Workplace } from './stack.mjs';

const { values: asked } = parseArgs({
  options: { gigabytes: { type: 'string', default: '1' }, rounds: { type: 'string', default: '5' } },
});
const gigabytes = Number(asked.gigabytes);
const rounds = Number(asked.rounds);
const mostMiB = 256;
const mebibyte = 1_048_576;
const keys = { accessKeyId: 'bench', secretAccessKey: 'only-for-this-run' };
const place = new Workplace();
const { folder } = place;
const say = (text) => process.stdout.write(`${text}\n`);
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
  const upload = await vault.begin(backupId, 1);
  const size = gigabytes * 1e9;
  const stored = await upload.put('base.tar.zst', bytesOf(size));
  const manifest = manifestFor({
    backupId,
    accountId: 'bench',
    instanceId: randomUUID(),
    instanceName: 'bench',
    type: 'full',
    parentId: null,
    datastore: { type: 'postgresql', version: '18.4' },
    region: 'FROM',
    startedAt: '2026-11-14T14:30:00.000Z',
    completedAt: '2026-11-14T14:31:00.000Z',
    objects: [{ ...stored, rawBytes: size, compression: 'zstd' }],
    engine: { systemId: '7000000000000000001', timeline: 1 },
  });
  const sealed = await upload.seal(manifestBytes(manifest));
  await upload.discard();
  return { url: url.href, sha256: sealed.sha256, location: sealed.location };
}

function newFolder(name) {
  const path = join(folder, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  return path;
}
const schemed = (scheme, path) => new URL(pathToFileURL(path).href.replace('file:', scheme));

async function ours(from, to) {
  attempt += 1;
  const job = { from: from.url, to, backupId, sha256: from.sha256, attempt };
  const child = spawn(process.execPath, [join(root, 'bench', 'copy-process.mjs'), JSON.stringify(job)], {
    env: { ...process.env, NODE_OPTIONS: '--max-old-space-size=128' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  child.stdout.on('data', (text) => {
    told += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`a copy to ${to.join(' and ')} ended with ${code}`);
  return JSON.parse(told);
}

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

async function startVersity(path) {
  const port = await freePort();
  const [buckets, versions] = [join(folder, 'buckets'), join(folder, 'versions')];
  mkdirSync(join(buckets, 'bench'), { recursive: true });
  mkdirSync(versions);
  const args = ['--access', keys.accessKeyId, '--secret', keys.secretAccessKey, '--region', 'us-east-1', '--quiet'];
  const child = spawn(path, [...args, '--keep-alive', '--port', `127.0.0.1:${port}`, 'posix', buckets], {
    stdio: 'ignore',
  });
  place.undo.push(async () => void child.kill());
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = join(folder, 'keys.json');
  writeFileSync(credentials, JSON.stringify(keys), { mode: 0o600 });
  for (let tries = 200; tries > 0; tries -= 1) {
    if (await fetch(endpoint).catch(() => undefined)) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const vaultAt = (prefix) => {
    const url = new URL(`s3://bench/${prefix}`);
    for (const [name, value] of Object.entries({ endpoint, region: 'us-east-1', credentials }))
      url.searchParams.set(name, value);
    return url;
  };
  const env = {
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    AWS_REGION: 'us-east-1',
    S3_ENDPOINT_URL: endpoint,
    RCLONE_CONFIG_BENCH_TYPE: 's3',
    RCLONE_CONFIG_BENCH_PROVIDER: 'Other',
    RCLONE_CONFIG_BENCH_ENV_AUTH: 'true',
    RCLONE_CONFIG_BENCH_ENDPOINT: endpoint,
    RCLONE_CONFIG_BENCH_REGION: 'us-east-1',
    // Without TLS its SDK can't sign a body that it may read only once.
    RCLONE_CONFIG_BENCH_USE_UNSIGNED_PAYLOAD: 'true',
  };
  return { buckets, vaultAt, env };
}

const emptyConfig = ['--config', '/dev/null'];
/** What was measured, by its name, round by round. */
const found = {};
const wrong = [];
let wasQuiet = true;
const note = (name, figures) => {
  found[name] ??= [];
  found[name].push(figures);
  say(`${name}: ${figures.seconds.toFixed(2)} s, CPU ${figures.cpuSeconds.toFixed(2)} s, ${figures.peakMiB} MiB`);
};

async function oursInto(name, from, targets) {
  const figures = await ours(from, targets.map(String));
  if (!figures.isProven) wrong.push(name);
  note(name, figures);
}

async function peerInto(name, command, { target, expected, env }) {
  note(name, await measured(command, { env, durable: target ?? '' }));
  if (target && (await digestsIn(target)) !== expected) wrong.push(name);
}

try {
  const programs = { rclone: peerProgram('rclone'), s5cmd: peerProgram('s5cmd'), versitygw: peerProgram('versitygw') };
  const missing = Object.values(programs).flatMap(({ why }) => why ?? []);
  const { rclone, s5cmd, versitygw } = programs;
  if (!rclone.path) throw new Error(missing.join(' '));
  say(`Storing a backup of ${gigabytes} GB …`);
  const whole = await store(schemed('file:', newFolder('whole')));
  const pieces = await store(schemed('objects:', newFolder('pieces')));
  const filesOf = {
    whole: join(folder, 'whole', whole.location),
    pieces: join(folder, 'pieces', pieces.location),
  };
  const digests = { whole: await digestsIn(filesOf.whole), pieces: await digestsIn(filesOf.pieces) };
  const s3 = versitygw.path && s5cmd.path ? await startVersity(versitygw.path) : undefined;
  const bucket = s3 && (await store(s3.vaultAt('source')));

  const local = (kind, from) => [
    () => oursInto(`${kind} to folder`, from, [schemed(kind === 'file' ? 'file:' : 'objects:', newFolder('ours'))]),
    () =>
      peerInto(
        `${kind} to folder, rclone`,
        [
          rclone.path,
          'copy',
          '--checksum',
          ...emptyConfig,
          filesOf[kind === 'file' ? 'whole' : 'pieces'],
          newFolder('theirs'),
        ],
        { target: join(folder, 'theirs'), expected: digests[kind === 'file' ? 'whole' : 'pieces'] },
      ),
  ];
  const remote = () => {
    if (!s3) return [];
    const { env, buckets } = s3;
    const inBucket = (name) => {
      rmSync(join(buckets, 'bench', name), { recursive: true, force: true });
      return name;
    };
    const uploaded = async (name, command) => {
      const prefix = inBucket('theirs');
      await peerInto(name, command(prefix), { env });
      if ((await digestsIn(join(buckets, 'bench', prefix))) !== digests.pieces) wrong.push(name);
    };
    const source = `source/${bucket.location}`;
    const expected = bucket.digests;
    return [
      [
        () => oursInto('into a bucket', pieces, [s3.vaultAt(inBucket('ours'))]),
        () => uploaded('into a bucket, s5cmd', (to) => [s5cmd.path, 'cp', `${filesOf.pieces}/`, `s3://bench/${to}/`]),
        () =>
          uploaded('into a bucket, rclone', (to) => [
            ...[rclone.path, 'copy', '--checksum', ...emptyConfig, filesOf.pieces, `bench:bench/${to}`],
          ]),
      ],
      [
        () => oursInto('out of a bucket', bucket, [schemed('objects:', newFolder('ours'))]),
        () =>
          peerInto('out of a bucket, s5cmd', [s5cmd.path, 'cp', `s3://bench/${source}/*`, `${newFolder('theirs')}/`], {
            env,
            target: join(folder, 'theirs'),
            expected,
          }),
        () =>
          peerInto(
            'out of a bucket, rclone',
            [rclone.path, 'copy', '--checksum', ...emptyConfig, `bench:bench/${source}`, newFolder('theirs')],
            { env, target: join(folder, 'theirs'), expected },
          ),
      ],
    ];
  };
  if (bucket) bucket.digests = await digestsIn(join(s3.buckets, 'bench', 'source', bucket.location));
  const two = [
    () => oursInto('one region', whole, [schemed('file:', newFolder('one'))]),
    () =>
      oursInto(
        'two regions',
        whole,
        ['one', 'two'].map((name) => schemed('file:', newFolder(name))),
      ),
  ];
  for (let round = 0; round < rounds; round += 1) {
    say(`Round ${round + 1}`);
    for (const group of [local('file', whole), local('objects', pieces), ...remote(), two]) {
      for (let at = 0; at < group.length; at += 1) {
        wasQuiet = (await quiet({ withinMs: 3_000 })) && wasQuiet;
        await group[(at + round) % group.length]();
      }
    }
  }

  const each = (name, of) => (found[name] ?? []).map(of);
  const middle = (values) => ratio(values).median;
  const rate = (name) => `${Math.round((gigabytes * 1_000) / middle(each(name, ({ seconds }) => seconds)))} MB/s`;
  const costs = (name) =>
    `${(middle(each(name, ({ cpuSeconds }) => cpuSeconds)) / gigabytes).toFixed(2)} s CPU/GB, ${Math.max(...each(name, ({ peakMiB }) => peakMiB))} MiB`;
  const speed = (what, name, peer, least) => {
    const theirs = each(peer, ({ seconds }) => seconds);
    const of = ratio(each(name, ({ seconds }, round) => theirs[round] / seconds));
    const aim = `≥ ${least} ×`;
    return {
      what,
      aim,
      ours: `${rate(name)}, ${costs(name)}`,
      beside: `${rate(peer)}, ${costs(peer)}`,
      ratio: of,
      isReached: of.median >= least,
    };
  };
  const cost = (what, name, peer, most) => {
    const theirs = each(peer, ({ cpuSeconds }) => cpuSeconds);
    const of = ratio(each(name, ({ cpuSeconds }, round) => cpuSeconds / theirs[round]));
    return {
      what,
      aim: `≤ ${most} ×`,
      ours: costs(name),
      beside: costs(peer),
      ratio: of,
      isReached: of.median <= most,
    };
  };
  const names = { file: 'a file to another folder', objects: 'segments to another folder' };
  const rows = Object.entries(names).flatMap(([kind, what]) => [
    speed(`${what}, beside rclone copy --checksum`, `${kind} to folder`, `${kind} to folder, rclone`, 2),
    cost(`the same: the processors’ time`, `${kind} to folder`, `${kind} to folder, rclone`, 0.5),
  ]);
  if (s3) {
    for (const way of ['into a bucket', 'out of a bucket']) {
      rows.push(speed(`${way} of S3, beside s5cmd cp`, way, `${way}, s5cmd`, 1));
      rows.push(speed(`${way} of S3, beside rclone copy --checksum`, way, `${way}, rclone`, 1.5));
    }
  }
  const one = each('one region', ({ seconds }) => seconds);
  const ofTwo = ratio(each('two regions', ({ seconds }, round) => seconds / one[round]));
  rows.push({
    what: 'copies to two folders at a time, beside one',
    aim: '≤ 1.3 × the time',
    ours: `${rate('two regions')}, ${costs('two regions')}`,
    beside: `${rate('one region')}, ${costs('one region')}`,
    ratio: ofTwo,
    isReached: ofTwo.median <= 1.3,
  });
  const peak = Math.max(
    ...Object.keys(found)
      .filter((name) => !/, (rclone|s5cmd)$/.test(name))
      .flatMap((name) => each(name, ({ peakMiB }) => peakMiB)),
  );
  rows.push({
    what: 'memory of the process that copies',
    aim: `≤ ${mostMiB} MiB`,
    ours: `${peak} MiB`,
    isReached: peak <= mostMiB,
  });
  report('copies', {
    title: 'Copies of a backup',
    rows,
    invariants: [{ what: 'every copy, ours and the others’, had the SHA-256 of its source', held: wrong.length === 0 }],
    isQuiet: wasQuiet,
    notes: [
      `The backup has ${gigabytes} GB of random bytes. Our time is from the request of the copy to its seal: everything is hashed, written, synced, and read back. Theirs is that of the program, and the sync of what it wrote into a folder.`,
      `rclone ${rclone.version}, s5cmd ${s5cmd.version ?? 'was not to be had'}; both with their own defaults for what they do at a time. Neither reads back what it has put into a bucket.`,
      ...missing,
    ],
    raw: found,
  });
} finally {
  await place.clear();
}

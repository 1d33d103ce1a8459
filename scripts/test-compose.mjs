/**
 * `npm run test:compose` brings the stack of docker-compose.yml up, makes two verified copies in buckets, restores one of them, restarts
 * every service, deletes a backup, and takes the stack down. However it ends, it leaves no container, volume, network or image behind.
 */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { slowness } from '../test/services/slowness.mjs';
import { build, isBuilt } from './build.mjs';
import { account, apps, interrupted, missing, project, stack } from './compose-stack.mjs';

// The client is one of the built libraries.
if (!isBuilt()) await build();
const { Client } = await import('../dist/libs/client/src/index.js');

const copyTo = ['IAD', 'ORD'];

const startedAt = Date.now();
const say = (text) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${text}`);

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** The client of the API, through the published port. */
const clientOf = (port, token) =>
  new Client({
    baseUrl: `http://127.0.0.1:${port}`,
    accountId: account,
    token,
    fetch: (url, init) =>
      fetch(url, {
        ...init,
        signal: AbortSignal.any([interrupted.signal, AbortSignal.timeout(Math.ceil(15_000 * slowness()))]),
      }),
  });

async function listOf(items) {
  const list = [];
  for await (const item of items) list.push(item);
  return list;
}

/** The API closed a connection that was idle in the moment in which the next request was sent on it. */
const isLostConnection = ({ cause }) => ['UND_ERR_SOCKET', 'ECONNRESET'].includes(cause?.code);

/**
 * Asks again and again until there is an answer. An answer that says that another try may help is none, and neither is a lost connection.
 * @param ask resolves to undefined while there is none
 */
async function eventually(what, withinMs, ask) {
  const begun = performance.now();
  let patience = slowness();
  for (;;) {
    const answer = await ask().catch((error) => {
      if (error.retryable !== true && !isLostConnection(error)) throw error;
    });
    if (answer !== undefined) return answer;
    const waitedMs = performance.now() - begun;
    // The machine may have become slower meanwhile.
    if (waitedMs > withinMs * patience) patience = Math.max(patience, slowness());
    assert.ok(waitedMs < withinMs * patience, `${what}: not within ${Math.round(waitedMs / 1000)} s`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    interrupted.signal.throwIfAborted();
  }
}

/** Waits until a backup that is not among `known`, and all its copies, are COMPLETED. It prints each change. */
async function completedBackup(api, instanceId, known) {
  let told = '';
  return eventually('a backup and its copies COMPLETED', 120_000, async () => {
    const backups = await listOf(api.backups.list({ instance_id: instanceId }));
    const backup = backups.find(({ id }) => !known.includes(id));
    if (backup === undefined) return undefined;
    const copies = await api.backups.copies(backup.id);
    const state = `backup ${backup.id} ${backup.status}; ${copies.map(({ region, status }) => `${region} ${status}`).join(', ')}`;
    if (state !== told) say(`  ${state}`);
    told = state;
    assert.notEqual(backup.status, 'FAILED', `backup ${backup.id} FAILED: ${JSON.stringify(backup.fault)}`);
    if (backup.status !== 'COMPLETED' || copies.length < copyTo.length) return undefined;
    return copies.every(({ status }) => status === 'COMPLETED') ? { backup, copies } : undefined;
  });
}

let passed = 0;
/** What failed, with its reason, a line each. */
const failures = [];
/** The last lines of what an error says, as one line. */
const endOf = (error) => String(error.message).trimEnd().split('\n').slice(-3).join(' | ');

async function check(promise, proof) {
  const began = Date.now();
  try {
    const result = await proof();
    passed += 1;
    say(`ok      ${promise} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    return result;
  } catch (error) {
    if (error === interrupted.signal.reason) {
      say(`stopped ${promise}`);
    } else {
      failures.push(`${promise}: ${endOf(error)}`);
      say(`FAILED  ${promise}`);
    }
    throw error;
  }
}

async function drive(own, port) {
  await check('one command brings every service up, from nothing to healthy', () => own.up('--build'));
  await check('nothing but the API is published, and that only on 127.0.0.1', async () => {
    const open = (await own.published()).filter((line) => line.includes(' '));
    assert.equal(open.length, 1, open.join('\n'));
    assert.match(open[0], new RegExp(`-api-1 8779/tcp \\[\\{127\\.0\\.0\\.1 ${port}\\}\\]`));
  });
  await check('the apps run without root, and cannot write to their own image', async () => {
    for (const app of apps) {
      assert.notEqual(await own.inside(app, 'id -u'), '0', app);
      assert.match(await own.inside(app, 'touch /app/x 2>&1 || true'), /Read-only file system/, app);
    }
  });

  const api = clientOf(port, await own.secret('admin-token'));
  const password = await own.secret('demo-backup-password');
  const instanceId = await check("the demo customer's server is registered as an instance", async () => {
    const { id } = await api.instances.register({
      name: 'demo-customer',
      datastore: { type: 'postgresql', version: '18' },
      connection: { host: 'demo-customer', port: 5432, user: 'backup', password, database: 'shop', tls: 'disable' },
    });
    return id;
  });
  const scheduleId = await check(`a schedule with copies to ${copyTo.join(' and ')} is accepted`, async () => {
    const inTwelveHours = new Date(Date.now() + 12 * 3_600_000);
    const { id } = await api.schedules.create({
      action: 'backup',
      instance_id: instanceId,
      day_of_week: 0,
      hour: inTwelveHours.getUTCHours(),
      minute: inTwelveHours.getUTCMinutes(),
      copy_to: copyTo,
    });
    return id;
  });
  const runNow = () => api.schedules.runNow(scheduleId);

  const first = await check('run_now makes a backup and two copies, all COMPLETED', async () => {
    await runNow();
    return completedBackup(api, instanceId, []);
  });
  const proveVaults = async ({ backup, copies }) => {
    assert.match(backup.checksum, /^[0-9a-f]{64}$/);
    assert.deepEqual(copies.map(({ region }) => region).sort(), copyTo);
    for (const copy of copies) assert.equal(copy.checksum, backup.checksum, `the copy in ${copy.region}`);
    const manifestIn = (service, folder) =>
      own.inside(service, `find ${folder} -path '*${backup.id}/*manifest.json' -exec sha256sum {} +`);
    const found = {
      DFW: await manifestIn('scheduler', '/vaults/DFW'),
      IAD: await manifestIn('s3', '/buckets/strongroom-iad'),
      ORD: await manifestIn('s3', '/buckets/strongroom-ord'),
    };
    for (const [region, digest] of Object.entries(found))
      assert.equal(digest.split(' ')[0], backup.checksum, `the manifest in ${region}`);
  };
  await check("the bytes in a folder and in two buckets have the backup's SHA-256", () => proveVaults(first));
  await check('a copy in a bucket is verified without the key that opens it, and restored with it alone', async () => {
    const address = 's3://strongroom-iad?endpoint=http://s3:7070&credentials=/run/secrets/s3-keys.json';
    const { id, checksum } = first.backup;
    const from = ['--from', 'IAD', '--vault', `IAD=${address}`];
    const { backups } = JSON.parse(await own.cli(undefined, 'verify', id, ...from, '--json'));
    assert.equal(backups[0].sha256, checksum);
    const restore = ['restore', id, ...from, '--to', '/restored/server', '--sha256', checksum];
    await assert.rejects(own.cli(undefined, ...restore), /is encrypted, and no key was given/);
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-compose-'));
    try {
      const identity = join(folder, 'backup-key');
      await writeFile(identity, await own.secret('backup-key'));
      // The container's user is another one.
      await chmod(folder, 0o755);
      await chmod(identity, 0o444);
      assert.match(await own.cli(identity, ...restore, '--identity', '/identity'), /postgres/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  const everything = async () => ({
    instance: await api.instances.get(instanceId),
    schedule: await api.schedules.get(scheduleId),
    backup: await api.backups.get(first.backup.id),
    copies: await api.backups.copies(first.backup.id),
  });
  const before = await everything();
  await check('every service restarts and is healthy again', async () => {
    const earlier = await own.startTimes();
    await own.restart();
    await own.up('--no-build', '--no-recreate');
    const later = await own.startTimes();
    for (const line of earlier) assert.ok(!later.includes(line), `not restarted: ${line}`);
    assert.equal(later.length, earlier.length);
  });
  await check('nothing is lost: instance, schedule, backup, copies and their bytes are as they were', async () => {
    assert.deepEqual(await everything(), before);
    await proveVaults(first);
  });
  await check('a new key seals the credentials while everything runs, and the former one is dropped', async () => {
    await own.init('rotate-key');
    const former = await eventually('nothing sealed under the former key', 120_000, async () =>
      /\tseals\n([0-9a-f]{16})\t0\t/.exec(await own.keys())?.at(1),
    );
    await own.init('drop-key', former);
    assert.ok(!(await own.keys()).includes(former));
  });
  const second = await check('after the restart another run makes a backup and two copies', async () => {
    await runNow();
    return completedBackup(api, instanceId, [first.backup.id]);
  });
  await check('its bytes in three regions have its SHA-256', () => proveVaults(second));
  await check('a backup that is deleted is gone from the vaults of three regions, and the other is whole', async () => {
    await api.backups.delete(first.backup.id);
    await eventually('nothing of the deleted backup in any vault', 60_000, async () => {
      const backups = await listOf(api.backups.list({ instance_id: instanceId }));
      const shown = backups.find(({ id }) => id === first.backup.id);
      assert.equal(shown, undefined, `shown again: ${JSON.stringify(shown?.fault)}`);
      // The vault remembers for a day that the backup was removed.
      const lookFor = (service, folder) =>
        own.inside(service, `find ${folder} -path '*${first.backup.id}*' -type f ! -name state ! -name 'state.*'`);
      const left = [await lookFor('scheduler', '/vaults'), await lookFor('s3', '/buckets')];
      return left.join('') === '' ? true : undefined;
    });
    await proveVaults(second);
  });
  await check('the database has refused no statement to the role of a service', async () => {
    const refused = (await own.logOf('database')).split('\n').filter((line) => line.includes('permission denied'));
    assert.deepEqual([...new Set(refused.map((line) => line.replace(/^.*ERROR: +/, '')))], []);
  });
}

async function main() {
  const reason = await missing();
  if (reason !== undefined) {
    console.error(`test:compose could not run. ${reason}`);
    failures.push(`it could not run: ${reason}`);
    return;
  }
  const port = await freePort();
  const own = stack(port);
  say(`project ${project}, port ${port}`);
  try {
    await drive(own, port);
  } catch (error) {
    if (!interrupted.signal.aborted) {
      console.error(error);
      await own.logs().catch((noLogs) => console.error(noLogs));
    }
  }
  say('taking the stack down');
  await check('taken down, nothing of it is left', async () => {
    await own.down();
    assert.deepEqual(await own.leftovers(), []);
  }).catch((error) => console.error(error));
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) return say('the stack is being taken down; that takes some seconds');
    interrupted.abort(new Error(`stopped by ${signal}`));
    process.exitCode = 130;
  });
}
await main();
if (failures.length > 0) {
  process.exitCode = 1;
  console.log(`Failed (${failures.length}):\n${failures.map((failure) => `  ${failure}\n`).join('')}`);
}
console.log(`${passed} passed, ${failures.length} failed`);

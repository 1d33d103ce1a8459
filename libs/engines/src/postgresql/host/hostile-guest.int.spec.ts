/** What code in a backup can do when a server is built from it: a real source plants it, and planted secrets are the judge. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, chmod, link, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { insteadOfRoot } from '@strongroom/server-processes';
import { bubblewrap, hasBubblewrap } from '../../../../../test/services/bubblewrap.js';
import { lacks } from '../../../../../test/services/outside-parts.js';
import { BackedUpServer } from '../../../fixtures/backed-up-server.js';
import { GuestWorld, processesOf, program } from '../../../fixtures/guest-world.js';
import { HostileSource } from '../../../fixtures/hostile-source.js';
import type { ServerHost } from '../../server-host.js';

const run = promisify(execFile);
const long = 240_000;
const isRoot = process.getuid?.() === 0;
const planted = `planted-${randomUUID()}`;
/** In a file that every user of this machine may read. */
const readable = `readable-${randomUUID()}`;
const first = 100_000 + randomInt(1_000_000) * 32;

let secrets: string;
let source: BackedUpServer;
let hostile: HostileSource;
let backupId: string;
/** A service of ours, with a secret in its environment. */
let service: ChildProcess;
let world: GuestWorld;

beforeAll(async () => {
  secrets = await mkdtemp(join(tmpdir(), 'strongroom-secrets-'));
  await chmod(secrets, 0o755);
  await writeFile(join(secrets, 'secrets.json'), planted, { mode: 0o600 });
  await writeFile(join(secrets, 'readable'), readable, { mode: 0o644 });
  await mkdir(join(secrets, 'vault'), { mode: 0o700 });
  await writeFile(join(secrets, 'vault', 'base.tar.zst'), planted, { mode: 0o600 });
  service = spawn('sleep', ['3600'], { env: { PATH: process.env.PATH, STRONGROOM_SECRET_KEY: planted } });
  const started = await BackedUpServer.start();
  if (!started) throw new Error('there is no PostgreSQL 18');
  source = started;
  world = new GuestWorld(source);
  // The source stands for every other server of this machine, such as the one with the ledger.
  const ofServer = join(source.server.dataDirectory, 'planted');
  await writeFile(ofServer, planted, { mode: 0o600 });
  await BackedUpServer.ownedByServer(source.server.dataDirectory);
  hostile = await HostileSource.plant(source, [
    join(secrets, 'secrets.json'),
    join(secrets, 'readable'),
    join(secrets, 'vault'),
    ofServer,
    join(source.folder, 'guests', 'other', 'data', 'planted'),
  ]);
  const data = source.server.dataDirectory;
  for (const name of ['postgresql.conf', 'postgresql.auto.conf']) await appendFile(join(data, name), hostile.settings);
  for (const name of ['pg_hba.conf', 'pg_ident.conf'])
    await appendFile(join(data, name), "include '/nowhere/theirs'\n");
  for (const name of ['standby.signal', 'recovery.signal']) await writeFile(join(data, name), '');
  await BackedUpServer.ownedByServer(data);
  backupId = await source.take();
  await hostile.forget();
}, long);
afterEach(() => world.clear());
afterAll(async () => {
  service.kill('SIGKILL');
  await source.remove();
  await rm(secrets, { recursive: true, force: true });
});

const spies = async () => (await hostile.found()).map(({ name }) => name);

async function isPlantedWithin(): Promise<void> {
  for (const { name, text } of await hostile.found()) {
    expect([name, text.includes(planted)]).toEqual([name, false]);
    expect([name, text.includes('may-end-the-scheduler')]).toEqual([name, false]);
    expect([name, /STRONGROOM|PGPASSWORD|HOME=|NODE_/.test(text)]).toEqual([name, false]);
  }
}

/** A library of the backup is loaded into the server's own process. What that has open is its own, or leads nowhere. */
async function hasOnlyItsOwnOpen(id: string): Promise<void> {
  const own = new RegExp(
    `^(/dev/(null|u?random|shm/.*)|(pipe|socket|anon_inode):.*|${world.folder}/${id}(/.*|\\.log))$`,
  );
  for (const { name, text } of (await hostile.found()).filter(({ name: each }) => each.startsWith('open.'))) {
    const paths = [...text.matchAll(/ -> (.*)$/gm)].map(([, path = '']) => path);
    expect([name, paths.length > 0, paths.filter((path) => !own.test(path))]).toEqual([name, true, []]);
  }
}

/** What holds of every server that is built from such a backup, however it is confined. */
async function isHarmless(host: ServerHost, { ownUser, isShut }: { ownUser: boolean; isShut: boolean }): Promise<void> {
  const [id, other] = [randomUUID(), 'other'];
  const otherData = await world.build(host, other, backupId);
  const otherServer = await world.start(host, other);
  await world.asOwner(otherServer, program(`printf ${planted} > ${otherData}/planted; chmod 600 ${otherData}/planted`));
  await world.build(host, id, backupId);
  const server = await world.start(host, id);
  const before = (await readdir(join((await host.find(id))?.directory ?? '', '..'))).sort();

  // Nobody has logged in, nothing was archived, loaded or asked for a passphrase.
  expect(await spies()).toEqual([]);
  expect(await readFile(join(world.folder, `${id}.log`), 'utf8')).not.toMatch(/nowhere|theirs/);

  // To use the server is its owner's right. What runs then is alone.
  await world.asOwner(server, 'vacuum noted', 'select spied($$asked$$)');
  const ofLibrary = hostile.hasLibrary ? ['loaded', 'compiled', 'open'] : [];
  expect((await spies()).map((name) => name.split('.')[0])).toEqual(
    expect.arrayContaining(['index', 'asked', ...ofLibrary]),
  );
  await isPlantedWithin();
  await hasOnlyItsOwnOpen(id);
  // Only a command shuts a guest off from what every user may read.
  expect((await hostile.found()).some(({ text }) => text.includes(readable))).toBe(!isShut);
  const told = (await hostile.found()).flatMap(({ text }) => /^uid (\d+)$/m.exec(text)?.[1] ?? []);
  const uids = new Set(told.map(Number));
  expect(uids.size).toBe(1);
  const [uid = 0] = uids;
  if (ownUser) expect([0, process.getuid?.(), insteadOfRoot()?.uid]).not.toContain(uid);

  // A port is its server's as long as nobody else has taken it.
  expect(await host.serves(id, server.port)).toBe(true);
  expect(await host.serves(id, otherServer.port)).toBe(!ownUser);

  // Its settings can't be changed for later, and what it leaves lying neither holds up the host nor leads it astray.
  await expect(world.asOwner(server, 'alter system set archive_mode = on')).rejects.toThrow(/ALTER SYSTEM/);
  await hostile.forget();
  const data = (await host.find(id))?.directory ?? '';
  await world.asOwner(
    server,
    program(`touch ${data}/../planted ${data}/../postgresql.conf.new; rm ${data}/../pg_hba.conf; true`),
  );
  expect((await readdir(join(data, '..'))).sort()).toEqual(before);
  await world.asOwner(
    server,
    program(`cat > ${data}/postgresql.auto.conf <<'END'\n${hostile.settings}\nEND`),
    program(`(trap '' HUP INT TERM; exec sleep 3600) >/dev/null 2>&1 </dev/null &`),
  );
  await server.stop();
  if (ownUser) expect(await processesOf(uid)).toEqual([]);
  expect(await readFile(join(world.folder, `${id}.log`), 'utf8')).toContain('database system is shut down');
  // As a guest could make it where the kernel lets it have links to files of others.
  const [ofOurs, linked] = [join(secrets, 'secrets.json'), join(data, 'linked')];
  const ours = await stat(ofOurs);
  await link(ofOurs, linked);
  const again = await world.start(host, id, server.port);
  expect(await stat(ofOurs)).toMatchObject({ uid: ours.uid, mode: ours.mode });
  await rm(linked);
  expect(again.port).toBe(server.port);
  await world.asOwner(again, 'checkpoint', 'select pg_switch_wal()');
  expect(await spies()).toEqual([]);
  await again.stop();
  await otherServer.stop();
  for (const each of [id, other]) await host.remove(each);
  expect((await readdir(world.folder)).filter((name) => name !== '.users')).toEqual([]);
}

describe('code in a backup', () => {
  it(
    'reaches nothing of ours and nobody else’s data from a server that has a user of its own',
    async () => {
      if (!isRoot) return lacks('guest-users', 'This is not root.');
      await isHarmless(await world.host({ users: { first, last: first + 9 } }), { ownUser: true, isShut: false });
    },
    long,
  );

  it(
    'reaches nothing of ours and nobody else’s data from a server that a command confines',
    async () => {
      if (!(await hasBubblewrap())) return;
      const users = isRoot ? { first: first + 10, last: first + 19 } : undefined;
      // The spy and what it finds are all that the guest sees beside its own folder.
      const shown = ['--ro-bind', hostile.spy, hostile.spy, '--bind', hostile.loot, hostile.loot];
      const command = [...bubblewrap.slice(0, -1), ...shown, '--'];
      await isHarmless(await world.host({ users, command }), { ownUser: isRoot, isShut: true });
    },
    long,
  );

  it(
    'is not taken for running where somebody else answers at its port',
    async () => {
      if (!isRoot) return lacks('guest-users', 'This is not root.');
      const host = await world.host({ users: { first: first + 30, last: first + 39 } });
      const id = randomUUID();
      await world.build(host, id, backupId);
      await (await world.start(host, id)).stop();
      const asksForPassword = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);
      const stranger = createServer((socket) => {
        socket.on('error', () => {}).on('data', () => socket.end(asksForPassword));
      }).listen(0, '127.0.0.1');
      await once(stranger, 'listening');
      try {
        const { port } = stranger.address() as AddressInfo;
        await expect(world.start(host, id, port)).rejects.toMatchObject({ code: 'server-did-not-start' });
      } finally {
        stranger.close();
      }
    },
    long,
  );

  it(
    'holds up no start and no removal by what it leaves in the place of files',
    async () => {
      const host = await world.host(isRoot ? { users: { first: first + 20, last: first + 29 } } : {});
      const id = randomUUID();
      const data = await world.build(host, id, backupId);
      await (await world.start(host, id)).stop();
      // Where a file is read by whoever looks for a server that still runs, or for what the server must hold.
      for (const name of ['postmaster.pid', 'global/pg_control', 'postgresql.auto.conf']) {
        await rm(join(data, name), { force: true });
        await run('mkfifo', [join(data, name)]);
      }
      // PostgreSQL itself would wait for such a file, so the start is called off before it is run.
      await expect(host.start(id, { signal: AbortSignal.abort() })).rejects.toThrow('called off');
      await host.remove(id);
      expect(await readdir(world.folder)).not.toContain(id);
    },
    long,
  );
});

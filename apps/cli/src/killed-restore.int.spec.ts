import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { storeBackup } from '@strongroom/engines';
import { wholeEngineFor } from '@strongroom/engines/in-this-process';
import { SystemClock } from '@strongroom/runtime/light';
import { insteadOfRoot, PostgresServer, postgresPrograms } from '@strongroom/server-processes';
import { openVaults } from '@strongroom/vault';
import { eventually } from '../../../test/services/eventually.js';
import { patienceNow } from '../../../test/services/patience.js';
import { verifiedByPostgres } from '../../../test/services/postgres-tools.js';

const execute = promisify(execFile);
const program = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');
/** The nightly run kills more. */
const kills = Number(process.env.STRONGROOM_KILLED_RESTORES ?? 4);

describe('a restore that is killed', () => {
  let folder: string;
  let call: string[];
  const backupId = randomUUID();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-killed-'));
    // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
    await chmod(folder, 0o711);
    await mkdir(join(folder, 'IAD'));
    const password = randomBytes(8).toString('hex');
    const server = await PostgresServer.start({
      directory: join(folder, 'server'),
      password,
      settings: { wal_level: 'replica', fsync: 'off' },
      logFile: join(folder, 'server.log'),
    });
    const url = pathToFileURL(join(folder, 'IAD'));
    const endpoint = {
      host: '127.0.0.1',
      port: server.port,
      user: 'postgres',
      database: 'postgres',
      tls: 'disable',
    } as const;
    const ids = { backupId, accountId: 'acme', instanceId: randomUUID(), instanceName: 'orders' };
    await storeBackup({
      engine: wholeEngineFor('postgresql'),
      vault: openVaults(new Map([['IAD', url]])).of('IAD'),
      clock: new SystemClock(),
      target: { instanceId: ids.instanceId, endpoint, password },
      backup: { ...ids, type: 'full', parentId: null, startedAt: new Date() },
      attempt: 1,
      signal: new AbortController().signal,
    });
    await server.stop();
    call = ['restore', backupId, '--from', 'IAD', '--vault', `IAD=${url.href}`, '--to'];
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const begin = (to: string, env: Record<string, string> = {}) =>
    spawn(process.execPath, [program, ...call, to], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const enginesOf = async ({ pid }: ChildProcess): Promise<number[]> => {
    const { stdout } = await execute('ps', ['-o', 'pid=', '--ppid', String(pid)]).catch(() => ({ stdout: '' }));
    return stdout.split('\n').flatMap((line) => (line.trim() === '' ? [] : [Number(line)]));
  };
  const endIfThere = (pid: number) => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It had done its work.
    }
  };
  const entriesIn = async (to: string) => (await readdir(to, { recursive: true }).catch((): string[] => [])).length;
  const restored = async (to: string, env?: Record<string, string>) => {
    const child = begin(to, env);
    const [[code], err] = await Promise.all([once(child, 'exit'), text(child.stderr)]);
    return { code, err };
  };
  const serverOn = async (to: string) => {
    const user = insteadOfRoot();
    if (user) await execute('chown', ['-R', `${user.uid}:${user.gid}`, to]);
    const args = ['-D', to, '-c', 'listen_addresses=', '-c', `unix_socket_directories=${to}`];
    const ids = user && { uid: user.uid, gid: user.gid };
    return execute(join(postgresPrograms(user).bin, 'postgres'), args, {
      ...ids,
      cwd: '/',
      timeout: 20_000 * patienceNow(),
    });
  };

  it('leaves a whole folder, or one on which no server starts and which the next restore explains', async () => {
    const unharmed = join(folder, 'unharmed');
    await expect(restored(unharmed)).resolves.toMatchObject({ code: 0 });
    const entries = await entriesIn(unharmed);
    let halves = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      const to = join(folder, `killed-${kill}`);
      const child = begin(to);
      const gone = once(child, 'exit');
      // The restore is killed at its beginning, when it has written everything, and in between.
      const share = kill === 0 ? 0 : kill === 1 ? 1 : Math.random();
      const enough = Math.max(1, Math.floor(share * entries));
      await eventually(async () => expect(await entriesIn(to)).toBeGreaterThanOrEqual(enough), {
        withinMs: 30_000,
        isBrief: true,
      });
      // The whole host stops: with the command, the process that restores for it.
      const engines = await enginesOf(child);
      child.kill('SIGKILL');
      for (const pid of engines) endIfThere(pid);
      await gone;
      const there = await readdir(to).catch((): string[] => []);
      if (there.length === 0) continue;
      const isWhole = (await readdir(join(to, 'global')).catch((): string[] => [])).includes('pg_control');
      if (isWhole) {
        expect(there).not.toContain('strongroom.restoring');
        await verifiedByPostgres(to);
        continue;
      }
      halves += 1;
      const again = await restored(to);
      expect(again).toMatchObject({
        code: 1,
        err: expect.stringMatching(
          /(holds what is left of a restore .*|Another restore is going on in .*, or) was cut off/,
        ),
      });
      expect((await readdir(to)).sort()).toEqual(there.sort());
      await expect(serverOn(to)).rejects.toMatchObject({ code: expect.any(Number) });
      const [, howToEmpty = ''] = /restore again: (find .*)$/m.exec(again.err) ?? [];
      await execute('sh', ['-c', howToEmpty]);
      // On a slow machine it says how far it is.
      await expect(restored(to)).resolves.toEqual({ code: 0, err: expect.stringMatching(/^(restoring: .*\n)*$/) });
      await verifiedByPostgres(to);
      await rm(to, { recursive: true });
    }
    expect(halves).toBeGreaterThan(0);
  }, 240_000);

  it('in its own process alone is told by the command, which leaves what the next restore explains', async () => {
    const to = join(folder, 'alone');
    const child = begin(to);
    const ended = Promise.all([once(child, 'exit'), text(child.stderr)]);
    await eventually(async () => expect(await entriesIn(to)).toBeGreaterThan(50), { withinMs: 30_000, isBrief: true });
    const [engine = 0] = await enginesOf(child);
    const { stdout } = await execute('ps', ['-o', 'args=', '-p', String(engine)]);
    // Its limit of memory is one of its arguments.
    expect(stdout).toMatch(/engine-process\.js \d+ 536870912 /);
    process.kill(engine, 'SIGKILL');
    const [[code], err] = await ended;
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining('The process of the restore ended before it was done: it was ended by SIGKILL'),
    });
    expect(err).toContain(`if something was left in ${to}, no server starts on it`);
    expect((await restored(to)).err).toContain('was cut off');
  }, 60_000);

  it('is not begun where there is no room for it, and says how much it needs', async () => {
    const reserve = { STRONGROOM_FREE_SPACE_RESERVE_MIB: '1000000000' };
    const { code, err } = await restored(join(folder, 'full'), reserve);
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringMatching(/There is no room in .*full: \d+ MiB are free, 1000000000 MiB stay free/),
    });
    const wrong = await restored(join(folder, 'full'), { STRONGROOM_ENGINE_MEMORY_MIB: 'much' });
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('STRONGROOM_ENGINE_MEMORY_MIB must be') });
  }, 60_000);

  it('by another process that restores into the same folder is not: one of two wins, and is whole', async () => {
    const to = join(folder, 'both');
    const ended = await Promise.all([restored(to), restored(to), restored(to)]);
    expect(ended.map(({ code }) => code).sort()).toEqual([0, 1, 1]);
    for (const { code, err } of ended)
      if (code === 1) expect(err).toMatch(/restores backup|is not empty|Another restore/);
    await verifiedByPostgres(to);
    expect(await readdir(to)).not.toContain('strongroom.restoring');
  }, 60_000);
});

import { execFile, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { engineFor, storeBackup } from '@strongroom/engines';
import { SystemClock } from '@strongroom/runtime';
import { insteadOfRoot, PostgresServer, postgresPrograms } from '@strongroom/server-processes';
import { openVaults } from '@strongroom/vault';
import { eventually } from '../../../test/services/eventually.js';
import { verifiedByPostgres } from '../../../test/services/postgres-tools.js';

const execute = promisify(execFile);
const program = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');
const kills = 8;

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
      engine: engineFor('postgresql'),
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

  const begin = (to: string) =>
    spawn(process.execPath, [program, ...call, to], { cwd: folder, env: {}, stdio: ['ignore', 'ignore', 'pipe'] });
  const entriesIn = async (to: string) => (await readdir(to, { recursive: true }).catch((): string[] => [])).length;
  const restored = async (to: string) => {
    const child = begin(to);
    const [[code], err] = await Promise.all([once(child, 'exit'), text(child.stderr)]);
    return { code, err };
  };
  const serverOn = async (to: string) => {
    const user = insteadOfRoot();
    if (user) await execute('chown', ['-R', `${user.uid}:${user.gid}`, to]);
    const args = ['-D', to, '-c', 'listen_addresses=', '-c', `unix_socket_directories=${to}`];
    const ids = user && { uid: user.uid, gid: user.gid };
    return execute(join(postgresPrograms(user).bin, 'postgres'), args, { ...ids, cwd: '/', timeout: 20_000 });
  };

  it('leaves a whole folder, or one on which no server starts and which the next restore explains', async () => {
    const unharmed = join(folder, 'unharmed');
    await expect(restored(unharmed)).resolves.toMatchObject({ code: 0 });
    const all = await entriesIn(unharmed);
    let halves = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      const to = join(folder, `killed-${kill}`);
      const child = begin(to);
      const gone = once(child, 'exit');
      // The restore is killed at its beginning, when it has written everything, and in between.
      const share = kill === 0 ? 0 : kill === 1 ? 1 : Math.random();
      const enough = Math.max(1, Math.floor(share * all));
      await eventually(async () => expect(await entriesIn(to)).toBeGreaterThanOrEqual(enough), { withinMs: 30_000 });
      child.kill('SIGKILL');
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

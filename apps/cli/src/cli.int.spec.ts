import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type StoreOptions, storeBackup } from '@strongroom/engines';
import { wholeEngineFor } from '@strongroom/engines/in-this-process';
import { SystemClock } from '@strongroom/runtime/light';
import { PostgresServer } from '@strongroom/server-processes';
import { copyBackup, openVaults, type Vaults } from '@strongroom/vault';
import { eventually } from '../../../test/services/eventually.js';
import { verifiedByPostgres } from '../../../test/services/postgres-tools.js';
import { withoutProgress } from '../../../test/services/progress.js';
import { exitCodes } from './exit-codes.js';

const program = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');

describe('strongroom', () => {
  let folder: string;
  let vaults: Vaults;
  let sha256: string;
  const backupId = randomUUID();
  const incrementalId = randomUUID();
  const locationIn = async (region: string) => (await vaults.of(region).locationOf(backupId)) ?? 'nowhere';
  const urlOf = (region: string) => pathToFileURL(join(folder, region)).href;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-cli-'));
    // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
    await chmod(folder, 0o711);
    for (const region of ['DFW', 'IAD', 'ORD', 'SYD']) await mkdir(join(folder, region));
    vaults = openVaults(new Map(['DFW', 'IAD', 'ORD', 'SYD'].map((region) => [region, new URL(urlOf(region))])));
    const password = randomBytes(8).toString('hex');
    const directory = join(folder, 'server');
    const server = await PostgresServer.start({
      directory,
      password,
      settings: { wal_level: 'replica', summarize_wal: 'on' },
      logFile: join(folder, 'server.log'),
    });
    const signal = new AbortController().signal;
    const endpoint = { host: '127.0.0.1', port: server.port, user: 'postgres', database: 'postgres' };
    const ofOrders = { accountId: 'acme', instanceId: randomUUID(), instanceName: 'orders', startedAt: new Date() };
    const take = (backup: Pick<StoreOptions['backup'], 'backupId' | 'type' | 'parentId'>) =>
      storeBackup({
        engine: wholeEngineFor('postgresql'),
        vault: vaults.of('DFW'),
        clock: new SystemClock(),
        target: { instanceId: randomUUID(), endpoint: { ...endpoint, tls: 'disable' }, password },
        backup: { ...ofOrders, ...backup },
        attempt: 1,
        signal,
      });
    ({ sha256 } = await take({ backupId, type: 'full', parentId: null }));
    const incremental = await take({ backupId: incrementalId, type: 'incremental', parentId: backupId });
    // From here on the server is down, and so is everything else.
    await server.stop();
    for (const region of ['IAD', 'ORD']) {
      const [from, to] = [vaults.of('DFW'), vaults.of(region)];
      await copyBackup({ from, to, backupId, attempt: 1, expectedSha256: sha256, signal });
    }
    for (const region of ['IAD', 'SYD']) {
      const ofIncremental = { backupId: incrementalId, expectedSha256: incremental.sha256 };
      await copyBackup({ from: vaults.of('DFW'), to: vaults.of(region), ...ofIncremental, attempt: 1, signal });
    }
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  function begin(args: string[], env: Record<string, string> = {}) {
    const child = spawn(process.execPath, [program, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
      ([[code], out, err]) => ({ code, out, err }),
    );
    return { child, ended };
  }
  const run = (args: string[], env?: Record<string, string>) => begin(args, env).ended;

  it('restore brings a server back from a vault alone, and says how to start it', async () => {
    const to = join(folder, 'restored');
    const { code, out, err } = await run([
      'restore',
      backupId,
      '--from',
      'IAD',
      '--to',
      'restored',
      '--vault',
      `IAD=${urlOf('IAD')}`,
    ]);
    expect({ code, err: withoutProgress(err) }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`Restored backup ${backupId} of orders (postgresql 18`);
    expect(out).toMatch(/All \d+ files match the server's manifest\./);
    expect(out).toContain(`postgres -D ${to}`);
    await verifiedByPostgres(to);
    const other = join(folder, 'restored-for-a-program');
    const told = await run([
      'restore',
      backupId,
      '--from',
      'IAD',
      '--to',
      other,
      '--vault',
      `IAD=${urlOf('IAD')}`,
      '--json',
    ]);
    expect({ code: told.code, ...JSON.parse(told.out) }).toMatchObject({
      code: 0,
      restored: {
        ...{ backupId, instanceName: 'orders', sha256, region: 'IAD', directory: other, chain: [backupId] },
        ...{ standsAlone: true, warnings: [], files: expect.any(Number), seconds: expect.any(Number) },
      },
    });
  }, 60_000);

  it('verify reads every byte where it lies, and fails when one is wrong, naming where', async () => {
    const STRONGROOM_VAULTS = `IAD=${urlOf('IAD')}, ORD=${urlOf('ORD')}`;
    const whole = await run(['verify', backupId, '--from', 'iad'], { STRONGROOM_VAULTS });
    expect(whole).toMatchObject({ code: 0, out: expect.stringContaining(`SHA-256 ${sha256}`) });
    const file = await open(join(folder, 'ORD', await locationIn('ORD'), 'base.tar.zst'), 'r+');
    await file.write(Buffer.alloc(64, 'x'), 0, 64, 1_000);
    await file.close();
    const altered = await run(['verify', backupId, '--from', 'ORD'], { STRONGROOM_VAULTS });
    expect(altered).toMatchObject({ code: exitCodes.altered, out: '' });
    expect(altered.err).toMatch(/^strongroom: Backup .* in the vault of ORD is not what was stored: base\.tar\.zst: /);
    const to = join(folder, 'bad');
    const restored = await run(['restore', backupId, '--from', 'ORD', '--to', to], { STRONGROOM_VAULTS });
    expect(restored).toMatchObject({
      code: exitCodes.altered,
      err: expect.stringContaining('Restore from the copy in another region'),
    });
    expect(await readdir(to)).toEqual([]);
  }, 60_000);

  it('verify reads what an incremental is built on too, and fails when that is missing or wrong, naming it', async () => {
    const vault = ['--vault', `IAD=${urlOf('IAD')}`, '--vault', `SYD=${urlOf('SYD')}`];
    const whole = await run(['verify', incrementalId, '--from', 'IAD', ...vault]);
    expect(whole).toMatchObject({ code: 0, err: '' });
    expect(whole.out).toContain(`Backup ${backupId} in IAD is whole`);
    expect(whole.out).toContain(`Backup ${incrementalId} in IAD is whole`);
    expect(whole.out).toContain(`All 2 backups that ${incrementalId} is put together from are whole.`);
    const missing = await run(['verify', incrementalId, '--from', 'SYD', ...vault]);
    expect(missing).toMatchObject({ code: exitCodes.notFound, out: '' });
    expect(missing.err).toContain(`without ${backupId}, which it is built on: The vault of SYD does not hold`);
    const signal = new AbortController().signal;
    const [from, to] = [vaults.of('DFW'), vaults.of('SYD')];
    await copyBackup({ from, to, backupId, attempt: 1, expectedSha256: sha256, signal });
    await truncate(join(folder, 'SYD', await locationIn('SYD'), 'base.tar.zst'), 1_000);
    const altered = await run(['verify', incrementalId, '--from', 'SYD', ...vault]);
    expect(altered.code).toBe(exitCodes.altered);
    expect(altered.err).toContain(`Backup ${backupId} in the vault of SYD is not what was stored`);
  }, 60_000);

  it('show prints what a backup is, as JSON, from the vaults of the local stack where no other is given', async () => {
    await mkdir(join(folder, '.strongroom'));
    await writeFile(join(folder, '.strongroom', 'stack.json'), JSON.stringify({ vaults: { IAD: urlOf('IAD') } }));
    const { code, out } = await run(['show', backupId, '--from', 'IAD']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ backupId, sha256, instanceName: 'orders', region: 'DFW' });
    const elsewhere = await run(['show', backupId, '--from', 'ORD']);
    expect(elsewhere).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        'There is no vault of ORD: there are IAD, from .strongroom/stack.json. Give it: --vault ORD=',
      ),
    });
  });

  it('that is interrupted leaves no half restored folder', async () => {
    const to = join(folder, 'interrupted');
    const { child, ended } = begin([
      'restore',
      backupId,
      '--from',
      'IAD',
      '--to',
      to,
      '--vault',
      `IAD=${urlOf('IAD')}`,
    ]);
    await eventually(async () => expect(await readdir(to)).not.toEqual([]), { withinMs: 30_000 });
    child.kill('SIGINT');
    await expect(ended).resolves.toMatchObject({
      code: exitCodes.interrupted,
      err: expect.stringContaining('The restore was cancelled'),
    });
    expect(await readdir(to)).toEqual([]);
  }, 60_000);

  const vault = ['--vault', 'IAD=file:///nowhere/vaults/IAD'];
  it.each([
    ['nothing', [], 2, 'Usage: strongroom'],
    ['an unknown command', ['reset'], 2, 'unknown command'],
    ['no region', ['verify', backupId], 2, "required option '--from <region>'"],
    ['no id', ['verify', 'latest', '--from', 'IAD'], 2, 'It must be the UUID of a backup.'],
    [
      'a vault that is no URL',
      ['verify', backupId, '--from', 'IAD', '--vault', 'IAD=/vaults'],
      2,
      'It must be like IAD=file://',
    ],
    [
      'a kind of vault there is none of',
      ['verify', backupId, '--from', 'IAD', '--vault', 'IAD=ftp://b/p'],
      2,
      'there are vaults of these kinds',
    ],
    [
      'a vault that is not there',
      ['verify', backupId, '--from', 'IAD', ...vault],
      1,
      '/nowhere/vaults/IAD is not there. Mount its disk',
    ],
  ])('given %s says what is wrong and ends with the fitting code', async (_, args, code, why) => {
    const ended = await run(args);
    expect(ended).toMatchObject({ code, out: '', err: expect.stringContaining(why) });
    expect(ended.err).not.toMatch(/^\s+at /m);
  });

  it.each([['migrate'], ['ledger', 'verify'], ['views', 'rebuild'], ['limits', 'list'], ['dead-letters', 'list']])(
    'says which command tells more where the database is away: %s',
    async (...args) => {
      const away = await run(args, { STRONGROOM_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
      expect(away).toMatchObject({ code: exitCodes.failed, out: '' });
      expect(away.err).toMatch(
        /^strongroom: The database of the ledger does not let us in: .* strongroom doctor --only database\n$/,
      );
    },
  );

  it('does not restore over what is there, and does not know a backup that the vault does not hold', async () => {
    const options = ['--from', 'IAD', '--vault', `IAD=${urlOf('IAD')}`];
    const occupied = await run(['restore', backupId, '--to', folder, ...options]);
    expect(occupied).toMatchObject({ code: 1, err: expect.stringContaining('is not empty') });
    expect(occupied.err).toMatch(/ See how a place is given: strongroom restore --help\n$/);
    const strange = randomUUID();
    for (const args of [['show'], ['verify'], ['restore', '--to', join(folder, 'none')]]) {
      const [command = '', ...more] = args;
      const { code, err } = await run([command, strange, ...more, ...options]);
      expect({ code, err }).toEqual({
        code: exitCodes.notFound,
        err: expect.stringContaining(`does not hold backup ${strange}`),
      });
    }
  });

  it('shows its commands and options when asked', async () => {
    for (const args of [['--help'], ['restore', '--help']]) {
      const { code, out } = await run(args);
      expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('restore') });
    }
  });
});

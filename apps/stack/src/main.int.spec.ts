import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@strongroom/client';
import { getHealthLive, getRestorable } from '@strongroom/contracts';
import { freePort } from '@strongroom/server-processes';
import { z } from 'zod';
import { allOf } from '../../../test/services/all-of.js';
import { eventually } from '../../../test/services/eventually.js';
import { folderForStack, Launcher, long, running } from '../fixtures/launcher.js';
import type { StackDescription } from './stack-file.js';

const run = promisify(execFile);
const commandLine = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');
const failed = z.object({ code: z.int(), stderr: z.string() });
const services = ['api', 'scheduler', 'replicator'];

let folder: string;
let port: number;
let launcher: Launcher;

beforeAll(async () => {
  folder = folderForStack();
  port = await freePort();
});
afterAll(() => launcher.remove());

function start(...args: string[]): Launcher {
  return new Launcher({ folder, port }, '--broker', 'embedded', ...args);
}

describe('npm start', () => {
  let first: StackDescription;

  it('ends its demo with two verified copies, stays up, and describes itself', async () => {
    launcher = start();
    await launcher.says('Up in');
    first = launcher.described;
    const [backup] = await launcher.backups();
    expect(backup).toMatchObject({ status: 'COMPLETED', instance_id: first.instanceId });
    expect(backup?.copies.map(({ region, verified, checksum }) => [region, verified, checksum])).toEqual([
      ['IAD', true, backup?.checksum],
      ['ORD', true, backup?.checksum],
    ]);
    expect(launcher.output).toContain(`npx strongroom restore ${backup?.id} --from IAD`);
    const regions = ['DFW', 'IAD', 'ORD'];
    for (const region of regions) {
      expect(launcher.output).toMatch(
        new RegExp(`Restored from ${region} for a trial in \\d+ s: .* all \\d+ tables with [\\d,]+ rows were read`),
      );
    }
    const test = { backup_id: backup?.id, outcome: 'passed', proof: 'tables-read', by: 'admin', fault: null };
    expect(backup?.restore_tests).toEqual(
      regions.toReversed().map((region) => ({ ...test, region, at: expect.any(String), seconds: expect.any(Number) })),
    );
    const { restorable } = (await launcher.client.call(getRestorable)).body;
    const places = restorable.flatMap(({ regions }) => regions).filter(({ wanted }) => wanted);
    expect(places.map(({ region, newest }) => [region, newest?.backup_id])).toEqual(
      regions.map((region) => [region, backup?.id]),
    );
    // So every place of the matrix in the console is green.
    expect(places.map((place) => place.restore_tests)).toEqual(
      regions.map((region) => backup?.restore_tests.filter((each) => each.region === region)),
    );
    expect(places.every(({ owed, lost, failed }) => owed + lost + failed === 0)).toBe(true);
    expect(launcher.output).toContain('the console shows that a restore was tested');
    expect(launcher.output).toMatch(/Console +http:\/\/127\.0\.0\.1:\d+\/console.*\n+.*Up in/);
    expect(launcher.output).toContain('events go through PostgreSQL (embedded feed), as asked by --broker embedded');
    expect(first).toMatchObject({ api: `http://127.0.0.1:${port}`, homeRegion: 'DFW', broker: 'embedded' });
    expect(Object.keys(first.vaults)).toEqual(['DFW', 'IAD', 'ORD', 'HKG', 'SYD']);
    expect(running(first.pids).sort()).toEqual([
      'api',
      'demo-postgres',
      'launcher',
      'postgres',
      'replicator',
      'scheduler',
    ]);
    for (const baseUrl of Object.values(first.health)) {
      await new Client({ baseUrl, accountId: first.accountId }).call(getHealthLive);
    }
  }, 120_000);

  it('hears from the command line of a restore that failed, which says when it could not be told', async () => {
    const { api, accountId, tokens } = first;
    const [backup] = await launcher.backups();
    const nowhere = `ORD=${pathToFileURL(join(folder, 'nowhere')).href}`;
    const test = ['verify', backup?.id ?? '', '--from', 'ORD', '--vault', nowhere, '--restore', '--tell'];
    const by = async (token: string) => {
      const env = { ...process.env, STRONGROOM_TOKEN: token };
      const call = [commandLine, ...test, '--url', api, '--account', accountId];
      return failed.parse(await run(process.execPath, call, { env }).catch((error: unknown) => error));
    };
    const byObserver = await by(tokens.observer);
    expect(byObserver.stderr).toContain('The service could not be told that the restore has failed.');
    expect((await launcher.backups())[0]?.restore_tests).toHaveLength(3);
    const byAdmin = await by(tokens.admin);
    expect(byAdmin.stderr).toContain('was told that the restore has failed');
    expect([byObserver.code, byAdmin.code]).toEqual([1, 1]);
    const code = 'vault-unavailable';
    expect((await launcher.backups())[0]?.restore_tests).toMatchObject([
      { region: 'ORD', outcome: 'failed', proof: null, fault: { code }, by: 'admin' },
      ...['ORD', 'IAD', 'DFW'].map((region) => ({ region, outcome: 'passed' })),
    ]);
  }, 60_000);

  it('gives each secret to the services that need it, and to no other process', () => {
    const environmentOf = (name: string) =>
      execFileSync('ps', ['eww', '-o', 'command=', '-p', String(first.pids[name])], { encoding: 'utf8' });
    expect(environmentOf('replicator')).toContain('STRONGROOM_DATABASE_URL=');
    const having = (secret: string) =>
      Object.keys(first.pids).filter((name) => environmentOf(name).includes(`${secret}=`));
    expect(having('STRONGROOM_SECRET_KEY').sort()).toEqual(['api', 'scheduler']);
    expect(having('STRONGROOM_TOKENS_FILE')).toEqual(['api']);
    const urls = ['api', 'scheduler', 'replicator'].map(
      (name) => /STRONGROOM_DATABASE_URL=(\S+)/.exec(environmentOf(name))?.[1],
    );
    expect(new Set(urls).size).toBe(3);
  });

  it('gives each token its own rights: an observer may not create, another account sees nothing', async () => {
    const { api, accountId, otherAccountId, tokens } = launcher.described;
    const instancesOf = (account: string, token: string) =>
      new Client({ baseUrl: api, accountId: account, token }).instances;
    const asObserver = instancesOf(accountId, tokens.observer);
    const connection = { host: 'db.example.com', port: 5432, user: 'backup', password: 'secret' };
    const server = { name: 'shop', datastore: { type: 'postgresql', version: '18' }, connection } as const;
    await expect(allOf(asObserver.list())).resolves.toHaveLength(1);
    await expect(asObserver.register(server)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(allOf(instancesOf(otherAccountId, tokens.other).list())).resolves.toEqual([]);
    await expect(allOf(instancesOf(accountId, tokens.other).list())).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('refuses a second one on the same data, naming the first', async () => {
    const second = start('--port', String(await freePort()));
    await once(second.child, 'exit');
    expect(second.child.exitCode).toBe(2);
    expect(second.output).toContain(`another npm start (pid ${launcher.child.pid}, port ${port}) runs on`);
  }, 30_000);

  it('starts again what dies, and says so', async () => {
    for (const name of ['scheduler', 'postgres']) {
      const killed = launcher.described.pids[name] ?? -1;
      process.kill(killed, 'SIGKILL');
      await launcher.says(`${name} runs again`);
      expect(launcher.described.pids[name]).not.toBe(killed);
    }
    await eventually(async () => expect(await launcher.backups()).toHaveLength(1), long);
  }, 90_000);

  it('goes on after it was killed itself, and first stops what it left running', async () => {
    const left = launcher.described.pids;
    await launcher.end('SIGKILL');
    launcher = start();
    await launcher.says('Up in');
    expect(launcher.described).toMatchObject({
      instanceId: first.instanceId,
      postgres: first.postgres,
      demo: first.demo,
    });
    expect(await launcher.backups()).toHaveLength(2);
    expect(running(left)).toEqual([]);
  }, 120_000);

  it('stops everything when it is asked to', async () => {
    const { pids } = launcher.described;
    expect(await launcher.end('SIGINT')).toBe(0);
    expect(running(pids)).toEqual([]);
    expect(launcher.described).toMatchObject({ pids: {}, health: {} });
    expect(existsSync(join(folder, 'data', 'launcher.pid'))).toBe(false);
    expect(launcher.output).toContain('Stopped in');
  }, 60_000);

  it('has refused no statement to the role of a service in its database', () => {
    const path = join(folder, 'data', 'log');
    for (const name of ['postgres.log', 'api.log', 'scheduler.log', 'replicator.log']) {
      expect(readFileSync(join(path, name), 'utf8')).not.toContain('permission denied');
    }
  });

  it('only serves with --no-demo', async () => {
    launcher = start('--no-demo');
    await launcher.says('Up in');
    expect(launcher.output).not.toContain('The schedule runs now');
    expect(launcher.described.pids).not.toHaveProperty('demo-postgres');
    expect(services.every((name) => launcher.described.pids[name] !== undefined)).toBe(true);
    expect(await launcher.end('SIGTERM')).toBe(0);
  }, 90_000);

  it('says whom to ask when its port is taken', async () => {
    const blocker = createServer().listen(port, '127.0.0.1');
    await once(blocker, 'listening');
    launcher = start();
    await once(launcher.child, 'exit');
    expect(launcher.child.exitCode).toBe(2);
    expect(launcher.output).toContain(`port ${port} is taken by another program`);
    blocker.close();
  }, 30_000);
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backupsResponse } from '@strongroom/contracts';
import { commandLineOf, freePort } from '@strongroom/local-services';
import { eventually } from '../../../test/services/eventually.js';
import type { StackDescription } from './stack-file.js';

const main = join(__dirname, '..', '..', '..', 'dist', 'apps', 'stack', 'src', 'main.js');
const services = ['api', 'scheduler', 'replicator'];
const long = { withinMs: 60_000 };

let folder: string;
let port: number;
let launcher: { child: ChildProcess; output: () => string };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-stack-'));
  // Where this is root, PostgreSQL runs as another user, who must be able to pass through.
  chmodSync(folder, 0o711);
  port = await freePort();
});
afterAll(async () => {
  await end('SIGINT');
  rmSync(folder, { recursive: true, force: true });
});

/** `npm start`, but for what it installs and builds. */
function start(...args: string[]): typeof launcher {
  const all = [main, '--broker', 'embedded', '--port', String(port), '--data', join(folder, 'data'), ...args];
  const child = spawn(process.execPath, all, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return { child, output: () => output };
}

async function end(signal: NodeJS.Signals): Promise<number | null> {
  const { child } = launcher;
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return child.exitCode;
}

function described(): StackDescription {
  return JSON.parse(readFileSync(join(folder, 'data', 'stack.json'), 'utf8'));
}

const said = (text: string) => eventually(() => expect(launcher.output()).toContain(text), long);

async function backups() {
  const { api, accountId, tokens } = described();
  const response = await fetch(`${api}/v1.0/${accountId}/backups`, { headers: { 'x-auth-token': tokens.admin } });
  expect(response.status).toBe(200);
  return backupsResponse.parse(await response.json()).backups;
}

/** Those of the processes that still run. */
function running(pids: Record<string, number>): string[] {
  return Object.entries(pids)
    .filter(([, pid]) => commandLineOf(pid) !== undefined)
    .map(([name]) => name);
}

describe('npm start', () => {
  let first: StackDescription;

  it('ends its demo with two verified copies, stays up, and describes itself', async () => {
    launcher = start();
    await said('Up in');
    first = described();
    const [backup] = await backups();
    expect(backup).toMatchObject({ status: 'COMPLETED', instance_id: first.instanceId });
    expect(backup?.copies.map(({ region, verified, checksum }) => [region, verified, checksum])).toEqual([
      ['IAD', true, backup?.checksum],
      ['ORD', true, backup?.checksum],
    ]);
    expect(launcher.output()).toContain(`npx strongroom restore ${backup?.id} --from IAD`);
    expect(launcher.output()).toContain('events go through PostgreSQL (embedded feed), as asked by --broker embedded');
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
    for (const url of Object.values(first.health)) expect((await fetch(`${url}/health/live`)).status).toBe(200);
  }, 120_000);

  it('gives each token its own rights: an observer may not create, another account sees nothing', async () => {
    const { api, accountId, otherAccountId, tokens } = described();
    const call = (account: string, token: string, method = 'GET') =>
      fetch(`${api}/v1.0/${account}/instances`, { method, headers: { 'x-auth-token': token } });
    expect((await call(accountId, tokens.observer)).status).toBe(200);
    expect((await call(accountId, tokens.observer, 'POST')).status).toBe(403);
    expect(await (await call(otherAccountId, tokens.other)).json()).toMatchObject({ instances: [] });
    expect((await call(accountId, tokens.other)).status).not.toBe(200);
  });

  it('refuses a second one on the same data, naming the first', async () => {
    const second = start('--port', String(await freePort()));
    await once(second.child, 'exit');
    expect(second.child.exitCode).toBe(2);
    expect(second.output()).toContain(`another npm start (pid ${launcher.child.pid}, port ${port}) runs on`);
  }, 30_000);

  it('starts again what dies, and says so', async () => {
    for (const name of ['scheduler', 'postgres']) {
      const killed = described().pids[name] ?? -1;
      process.kill(killed, 'SIGKILL');
      await said(`${name} runs again`);
      expect(described().pids[name]).not.toBe(killed);
    }
    await eventually(async () => expect(await backups()).toHaveLength(1), long);
  }, 90_000);

  it('carries on after it was killed itself, with what it left running stopped first', async () => {
    const left = described().pids;
    await end('SIGKILL');
    launcher = start();
    await said('Up in');
    expect(described()).toMatchObject({ instanceId: first.instanceId, postgres: first.postgres, demo: first.demo });
    expect(await backups()).toHaveLength(2);
    expect(running(left)).toEqual([]);
  }, 120_000);

  it('stops everything when it is asked to', async () => {
    const { pids } = described();
    expect(await end('SIGINT')).toBe(0);
    expect(running(pids)).toEqual([]);
    expect(described()).toMatchObject({ pids: {}, health: {} });
    expect(existsSync(join(folder, 'data', 'launcher.pid'))).toBe(false);
    expect(launcher.output()).toContain('Stopped in');
  }, 60_000);

  it('only serves with --no-demo', async () => {
    launcher = start('--no-demo');
    await said('Up in');
    expect(launcher.output()).not.toContain('The schedule runs now');
    expect(described().pids).not.toHaveProperty('demo-postgres');
    expect(services.every((name) => described().pids[name] !== undefined)).toBe(true);
    expect(await end('SIGTERM')).toBe(0);
  }, 90_000);

  it('says whom to ask when its port is taken', async () => {
    const blocker = createServer().listen(port, '127.0.0.1');
    await once(blocker, 'listening');
    launcher = start();
    await once(launcher.child, 'exit');
    expect(launcher.child.exitCode).toBe(2);
    expect(launcher.output()).toContain(`port ${port} is taken by another program`);
    blocker.close();
  }, 30_000);
});

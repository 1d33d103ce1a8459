import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresServer } from '@strongroom/server-processes';
import { z } from 'zod';

const run = promisify(execFile);
const root = join(__dirname, '..', '..', '..');
const password = 'only-for-this-spec';
const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
const line = z.looseObject({ msg: z.string(), session: z.unknown().optional(), problem: z.string().optional() });

let folder: string;
let server: PostgresServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-environment-'));
  chmodSync(folder, 0o711);
  server = await PostgresServer.start({
    directory: join(folder, 'postgres'),
    password,
    settings: { fsync: 'off', listen_addresses: hasIPv6 ? '127.0.0.1,::1' : '127.0.0.1' },
    logFile: join(folder, 'log'),
  });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What a real process logs that has this URL and this environment. */
async function connecting(url: string, env: Record<string, string> = {}) {
  const program = [join(root, 'scripts/run-typescript.cjs'), join(__dirname, '../fixtures/process.ts')];
  const { stdout } = await run(process.execPath, program, {
    env: {
      PATH: process.env.PATH,
      STRONGROOM_DATABASE_URL: url,
      STRONGROOM_FEED: 'embedded',
      STRONGROOM_VAULTS: 'DFW=file:///none',
      ...env,
    },
  });
  const lines = stdout
    .trim()
    .split('\n')
    .map((each) => line.parse(JSON.parse(each)));
  return {
    warnings: lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg),
    session: lines.find(({ msg }) => msg === 'connected')?.session,
    problem: lines.find(({ msg }) => msg === 'not connected')?.problem,
  };
}

describe('the connection to the database', () => {
  const itself = {
    user: 'postgres',
    database: 'postgres',
    workMem: '4MB',
    name: 'process-of-spec',
    address: '127.0.0.1',
  };

  it.each([
    { PGOPTIONS: '-c work_mem=1GB' },
    { PGSSLMODE: 'verify-full' },
    { PGSSLNEGOTIATION: 'direct' },
    { PGHOST: '192.0.2.1', PGHOSTADDR: '192.0.2.1', PGPORT: '1', PGUSER: 'nobody', PGDATABASE: 'none' },
    { PGPASSWORD: 'wrong', PGAPPNAME: 'somebody', PGCLIENT_ENCODING: 'LATIN1', PGCLIENTENCODING: 'LATIN1' },
    { PGSERVICE: 'none', PGSERVICEFILE: '/none', PGSYSCONFDIR: '/none', PGTZ: 'Asia/Tokyo', PGDATESTYLE: 'German' },
    { PGREPLICATION: 'true', PGBINARY: 'true', PGCONNECT_TIMEOUT: '1', PGREQUIREAUTH: 'none' },
  ])('is what its URL says, whatever the environment says: %j', async (env: Record<string, string>) => {
    const { session, warnings } = await connecting(server.url(), env);
    expect(session).toEqual(itself);
    expect(warnings).toHaveLength(1);
    for (const name of Object.keys(env)) expect(warnings[0]).toContain(name);
  });

  it('takes no password from anywhere but its URL', async () => {
    writeFileSync(join(folder, '.pgpass'), `*:*:*:*:${password}\n`, { mode: 0o600 });
    const url = server.url().replace(`:${password}@`, '@');
    const places = [
      { HOME: folder },
      { HOME: folder, PGPASSFILE: join(folder, '.pgpass') },
      { HOME: folder, PGPASSWORD: password },
    ];
    for (const env of places) expect((await connecting(url, env)).problem).toContain('password');
  });

  it('is made by the driver of this project, also where Node finds another one', async () => {
    const other = join(folder, 'pg-native');
    mkdirSync(other);
    writeFileSync(
      join(other, 'index.js'),
      'module.exports = class { connect(_, done) { done(new Error("native")); } };',
    );
    const { session, problem } = await connecting(server.url(), { NODE_PATH: folder });
    expect(problem).toBeUndefined();
    expect(session).toEqual(itself);
  });

  it('may be over IPv6', async () => {
    if (!hasIPv6) return;
    const { session } = await connecting(server.url().replace('127.0.0.1', '[::1]'));
    expect(session).toEqual({ ...itself, address: '::1' });
  });
});

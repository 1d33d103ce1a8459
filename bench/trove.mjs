/**
 * Debian's trove-api, which serves the API that Strongroom's known clients were written for: as a peer for lists of backups. Its packages are
 * fetched by apt, which checks their signatures, and unpacked into `.strongroom/trove`; nothing is installed. It runs on SQLite and without the
 * filter that asks Keystone about each token, so it does less than in production.
 */
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { getBackups, pathOf } from '../dist/libs/contracts/src/index.js';
import { freePort } from '../dist/libs/server-processes/src/index.js';
import { root } from './stack.mjs';

const run = promisify(execFile);
const place = join(root, '.strongroom', 'trove');
const python = '/usr/bin/python3';
const tenant = 'demo';

/** The Python of Debian 12 has lost a function that its Trove still calls. */
const shim = `import collections, inspect
if not hasattr(inspect, 'getargspec'):
    Spec = collections.namedtuple('ArgSpec', 'args varargs keywords defaults')
    inspect.getargspec = lambda f: Spec(*inspect.getfullargspec(f)[:4])
`;

async function fetchPackages() {
  if (existsSync(place)) return;
  const fresh = `${place}.new`;
  const packages = join(fresh, 'packages');
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(packages, { recursive: true });
  const { stdout } = await run('apt-get', ['-s', 'install', '--no-install-recommends', 'trove-api']);
  const names = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name);
  await run('apt-get', ['download', '-q', ...names], { cwd: packages, maxBuffer: 2 ** 26 });
  for (const file of readdirSync(packages)) await run('dpkg', ['-x', join(packages, file), fresh]);
  rmSync(packages, { recursive: true });
  writeFileSync(join(fresh, 'sitecustomize.py'), shim);
  renameSync(fresh, place);
}

/**
 * @param workplace whose folder gets its database, and whose undoing ends it
 * @param backups how many backups its one tenant has
 * @returns where it serves, and the head of a request for the list; or why it is not there
 */
export async function startTrove(workplace, backups) {
  try {
    await fetchPackages();
    return await serve(workplace, backups);
  } catch (error) {
    return { why: `trove-api is not measured: ${error.message.split('\n')[0]}` };
  }
}

async function serve({ folder, undo }, backups) {
  const port = await freePort();
  const paste = join(folder, 'trove-paste.ini');
  const given = readFileSync(join(place, 'usr', 'share', 'trove-common', 'api-paste.ini'), 'utf8');
  writeFileSync(paste, given.replace(/^(pipeline = .*)\bauthtoken /m, '$1'));
  const config = join(folder, 'trove.conf');
  const database = join(folder, 'trove.sqlite');
  writeFileSync(
    config,
    `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
trove_api_workers = 1
api_paste_config = ${paste}
transport_url = fake://
http_get_rate = 100000000
log_file = ${join(folder, 'trove.log')}
[database]
connection = sqlite:///${database}
`,
  );
  const packages = join(place, 'usr', 'lib', 'python3', 'dist-packages');
  const env = { ...process.env, PYTHONPATH: `${place}:${packages}` };
  const tool = (name) => join(place, 'usr', 'bin', name);
  await run(python, [tool('trove-manage'), '--config-file', config, 'db_sync'], { env });
  await run(python, ['-c', filling, database, tenant, String(backups), randomUUID(), randomUUID()], { env });
  const server = spawn(python, [tool('trove-api'), '--config-file', config], { env, stdio: 'ignore', detached: true });
  // It has a process for its one worker.
  undo.push(async () => process.kill(-server.pid, 'SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  const headers = {
    'x-auth-token': 'bench',
    'x-project-id': tenant,
    'x-tenant-id': tenant,
    'x-user-id': 'bench',
    'x-roles': 'admin',
  };
  // It is the same path: Strongroom serves Trove's clients.
  const path = pathOf(getBackups, { accountId: tenant });
  for (let waited = 0; waited < 60_000; waited += 500) {
    await delay(500);
    const answer = await fetch(`${url}${path}`, { headers }).catch(() => undefined);
    if (answer?.status !== 200) continue;
    const { backups: page } = await answer.json();
    const lines = Object.entries({ host: 'bench', ...headers }).map(([name, value]) => `${name}: ${value}`);
    return { url, page: page.length, text: [`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n') };
  }
  throw new Error('it did not serve within a minute');
}

const filling = `import sqlite3, sys, uuid
path, tenant, backups, datastore, version = sys.argv[1:]
database = sqlite3.connect(path)
database.execute('insert into datastores values (?, ?, ?)', (datastore, 'postgresql', version))
database.execute("insert into datastore_versions (id, datastore_id, name, active, manager, version) values (?, ?, '18', 1, 'postgresql', '18')",
                 (version, datastore))
for n in range(int(backups)):
    database.execute("""insert into backups (id, name, description, location, backup_type, size, tenant_id, state, instance_id, checksum,
        deleted, created, updated, datastore_version_id)
        values (?, 'nightly', '', ?, 'full', 0.005, ?, 'COMPLETED', ?, ?, 0, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', ?)""",
        (str(uuid.uuid4()), 'swift://backups/%d' % n, tenant, str(uuid.uuid4()), 'a' * 32, version))
database.commit()
`;

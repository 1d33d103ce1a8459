/** A PgBouncer before a PostgreSQL server, where the program is installed. Where it is not, what needs one is listed as not run. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from '@jest/globals';
import pg from 'pg';
import { eventually } from './eventually.js';
import { lacks } from './outside-parts.js';

export type PoolMode = 'session' | 'transaction' | 'statement';

const program = ['pgbouncer', '/usr/sbin/pgbouncer'].find((each) => spawnSync(each, ['--version']).status === 0);
const why = 'pgbouncer is not installed (Debian: apt-get install pgbouncer)';

/** A `describe` of what only a PgBouncer can show. */
export function describeWithPgBouncer(what: string, tests: () => void): void {
  describe(what, () => {
    if (program) return tests();
    lacks('pgbouncer', why);
    it.todo(`was NOT RUN: ${why}`);
  });
}

export class PgBouncer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    /** The server's URL through the pooler. */
    readonly url: string,
  ) {}

  static async before(serverUrl: string, mode: PoolMode): Promise<PgBouncer> {
    const { hostname, port, username, password, pathname } = new URL(serverUrl);
    const folder = mkdtempSync(join(tmpdir(), 'strongroom-pgbouncer-'));
    chmodSync(folder, 0o711);
    const own = await freePort();
    const name = pathname.slice(1);
    const file = join(folder, 'pgbouncer.ini');
    writeFileSync(
      file,
      `[databases]
${name} = host=${hostname} port=${port} dbname=${name} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = 40
max_client_conn = 200
`,
    );
    chmodSync(file, 0o644);
    // PgBouncer refuses to run as root.
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    const child = spawn(program ?? '', ['--quiet', ...user, file], { stdio: 'ignore' });
    const url = new URL(serverUrl);
    url.host = `127.0.0.1:${own}`;
    const bouncer = new PgBouncer(child, folder, url.href);
    await eventually(() => answers(url.href), { withinMs: 10_000 });
    return bouncer;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) {
      this.child.kill('SIGKILL');
      await once(this.child, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function answers(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('select 1');
  await client.end();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

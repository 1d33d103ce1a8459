/** A real PostgreSQL 18 as a child process: made on first start, carried on with afterwards, as root or as a user. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { ChildService, lastLines } from './child-service.js';
import { freePort } from './free-port.js';
import { postgresBinaries } from './postgres-binaries.js';
import { ServiceFault } from './service-fault.js';
import { insteadOfRoot, reachablePlace, type SystemUser } from './unprivileged.js';

const run = promisify(execFile);

export interface PostgresOptions {
  /** Kept between starts. When root's user can't reach it, a folder outside stands in for it; see `dataDirectory`. */
  directory: string;
  /** Of the superuser `postgres`; taken at the first start only. */
  password: string;
  /** Any free one when absent. */
  port?: number;
  settings?: Record<string, string | number>;
  logFile: string;
}

const startMs = 60_000;

export class PostgresServer {
  private constructor(
    private readonly service: ChildService,
    readonly port: number,
    /** Where the data really is. */
    readonly dataDirectory: string,
    private readonly password: string,
  ) {}

  /** @throws {ServiceFault} with the end of the log */
  static async start({ directory, password, port, settings = {}, logFile }: PostgresOptions): Promise<PostgresServer> {
    const user = insteadOfRoot();
    const bin = postgresBinaries(user);
    const data = reachablePlace(directory, user);
    await endLeftover(data);
    if (!existsSync(join(data, 'PG_VERSION'))) await initialise(bin, data, password, user);
    const actualPort = port ?? (await freePort());
    const all = { listen_addresses: '127.0.0.1', port: actualPort, unix_socket_directories: '', ...settings };
    const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
    const service = ChildService.start({ program: join(bin, 'postgres'), args, logFile, user, cwd: data });
    const server = new PostgresServer(service, actualPort, data, password);
    await server.ready(logFile);
    return server;
  }

  /** Starts a server on a folder that was restored: its own settings hold, but for where it listens. */
  static async startOn(
    dataDirectory: string,
    { password, logFile }: { password: string; logFile: string },
  ): Promise<PostgresServer> {
    const user = insteadOfRoot();
    if (user) await run('chown', ['-R', `${user.uid}:${user.gid}`, dataDirectory]);
    return PostgresServer.start({ directory: dataDirectory, password, logFile });
  }

  /** Stops a server that an earlier process left running on the folder; its port is free then. */
  static async endLeftover(directory: string): Promise<void> {
    await endLeftover(reachablePlace(directory, insteadOfRoot()));
  }

  get pid(): number {
    return this.service.pid;
  }

  get running(): boolean {
    return this.service.running;
  }

  /** Settles when the process has ended, with how. */
  get ended(): Promise<string> {
    return this.service.ended;
  }

  /** As the superuser. */
  url(database = 'postgres'): string {
    return `postgres://postgres:${encodeURIComponent(this.password)}@127.0.0.1:${this.port}/${database}`;
  }

  /** Fast shutdown: connections are ended, nothing is lost. */
  stop(): Promise<void> {
    return this.service.end('SIGINT', 20_000);
  }

  /** As a power cut would. The server's own children notice and end. */
  kill(): Promise<void> {
    return this.service.end('SIGKILL', 1_000);
  }

  private async ready(logFile: string): Promise<void> {
    const deadline = Date.now() + startMs;
    let ended: string | undefined;
    void this.ended.then((how) => {
      ended = how;
    });
    for (;;) {
      const client = new pg.Client({ connectionString: this.url(), connectionTimeoutMillis: 2_000 });
      client.on('error', () => {});
      try {
        await client.connect();
        await client.end();
        return;
      } catch (error) {
        await client.end().catch(() => {});
        if (ended !== undefined || Date.now() > deadline) {
          await this.kill();
          const why =
            ended ?? `did not answer within ${startMs / 1_000} s: ${error instanceof Error ? error.message : error}`;
          throw new ServiceFault(
            `PostgreSQL in ${this.dataDirectory} ${why}. Its log, ${logFile}, ends:\n${await lastLines(logFile)}`,
          );
        }
      }
      await delay(50);
    }
  }
}

async function initialise(bin: string, data: string, password: string, user: SystemUser | undefined): Promise<void> {
  // The folders above stay open to pass through: only the data itself is closed.
  mkdirSync(dirname(data), { recursive: true, mode: 0o755 });
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const passwordFile = `${data}.password-${randomBytes(4).toString('hex')}`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user) for (const path of [data, passwordFile]) chownSync(path, user.uid, user.gid);
  try {
    await run(
      join(bin, 'initdb'),
      [
        '-D',
        data,
        '-U',
        'postgres',
        `--pwfile=${passwordFile}`,
        '-A',
        'scram-sha-256',
        '--locale=C',
        '--encoding=UTF8',
        '--data-checksums',
      ],
      { cwd: data, ...(user && { uid: user.uid, gid: user.gid }) },
    );
  } catch (error) {
    rmSync(data, { recursive: true, force: true });
    throw new ServiceFault(`initdb could not make ${data}: ${error instanceof Error ? error.message : error}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** A server that still runs on this folder, left behind by whoever was killed, is stopped by its pid. */
async function endLeftover(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const [pid, folder] = readFileSync(file, 'utf8').split('\n');
  if (folder !== data || !isPostgres(Number(pid))) return;
  process.kill(Number(pid), 'SIGINT');
  const deadline = Date.now() + 20_000;
  while (isPostgres(Number(pid))) {
    if (Date.now() > deadline)
      throw new ServiceFault(
        `PostgreSQL with pid ${pid} still runs on ${data} and does not stop. Stop it and start again.`,
      );
    await delay(50);
  }
}

function isPostgres(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc') || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres');
  } catch {
    return false;
  }
}

/** A real PostgreSQL as a child process. The first start makes its data, and later starts go on with them. Root may start it too. */
import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';
import pg from 'pg';
import { ChildService, lastLines, logSince } from './child-service.js';
import { freePort } from './free-port.js';
import { Movement } from './movement.js';
import { postgresPrograms } from './postgres-binaries.js';
import { dataFolder, endLeftoverOf, initialise } from './postgres-data.js';
import { serverEnvironment } from './server-environment.js';
import { calledOff, ServiceFault } from './service-fault.js';
import { insteadOfRoot, type SystemUser } from './unprivileged.js';

const execute = promisify(execFile);

export interface PostgresOptions {
  /**
   * The folder, which stays between starts. When the server's user can't reach it, another folder replaces it: `dataDirectory`.
   */
  directory: string;
  /** The password of the superuser `postgres`. Only the first start uses it. */
  password: string;
  /** The folder of the npm package that brings the server's programs. Default: the PostgreSQL 18 of this project. */
  programs?: string;
  /** Whether a new data folder has page checksums. Default: it has. */
  checksums?: boolean;
  /** Default: any free port. */
  port?: number;
  /** Settings of the server. With `fsync: 'off'` the new data folder is not flushed to the disk either. */
  settings?: Record<string, string | number>;
  logFile: string;
  /** Whether the users are those of another server. Then it need not let us in; an answer is enough. */
  isOthers?: boolean;
  /** Whether a Ctrl-C on the terminal does not reach it. Then the process that started it stops it. */
  ownSession?: boolean;
  /** Ends the start when it is aborted. */
  signal?: AbortSignal;
}

const stopMs = 10_000;
const lookMs = 30;
const tries = 40;
const againMs = 250;
/** The SQLSTATEs of a server that answers, but is still starting or does not let us in. */
const startingUp = '57P03';
const notLetIn = ['28000', '28P01'];
const portTaken = /could not bind [^\n]*: Address already in use/;
/** The children of a server that was killed keep its memory until they notice. */
const childrenLeft = 'pre-existing shared memory block';

export class PostgresServer {
  private constructor(
    private readonly service: ChildService,
    readonly port: number,
    /** Where the data really are. */
    readonly dataDirectory: string,
    private readonly options: PostgresOptions,
  ) {}

  /** Returns when the server lets us in. @throws {ServiceFault} with the end of the log */
  static async start(options: PostgresOptions): Promise<PostgresServer> {
    const { directory, password, settings = {}, checksums = true, programs, signal } = options;
    const user = insteadOfRoot();
    const data = await dataFolder(directory, user);
    const sync = settings.fsync !== 'off';
    await initialise(data, { programs: postgresPrograms(user, programs), password, user, sync, checksums, signal });
    return PostgresServer.run(data, user, options);
  }

  /**
   * Starts a server on a folder that was restored, with its tablespaces. It has its own settings, except for its address.
   * @throws {ServiceFault} `no-data`, when the folder holds no data: an empty server must not replace one that was lost
   */
  static async startOn(dataDirectory: string, options: Omit<PostgresOptions, 'directory'>): Promise<PostgresServer> {
    if (!existsSync(join(dataDirectory, 'PG_VERSION'))) {
      throw new ServiceFault(
        'no-data',
        `${dataDirectory} holds no data of a PostgreSQL server. If its disk is not mounted, mount it.`,
      );
    }
    const user = insteadOfRoot();
    const folders = [dataDirectory, `${dataDirectory}.tablespaces`].filter((folder) => existsSync(folder));
    if (user) await execute('chown', ['-R', `${user.uid}:${user.gid}`, ...folders]);
    const data = await dataFolder(dataDirectory, user);
    return PostgresServer.run(data, user, { ...options, directory: dataDirectory });
  }

  /** Where the data of a folder are to be, so that a server can run on them. Nothing runs there when this returns. */
  static placeFor(directory: string): Promise<string> {
    return dataFolder(directory, insteadOfRoot());
  }

  /** Stops a server that an earlier process left running on the folder; its port is free then. */
  static endLeftover(directory: string): Promise<void> {
    return endLeftoverOf(directory);
  }

  get pid(): number {
    return this.service.pid;
  }

  get running(): boolean {
    return this.service.running;
  }

  /** Settles when the process has ended, and tells how it ended. */
  get ended(): Promise<string> {
    return this.service.ended;
  }

  /** The address of a database for the superuser. */
  url(database = 'postgres'): string {
    return `postgres://postgres:${encodeURIComponent(this.options.password)}@127.0.0.1:${this.port}/${database}`;
  }

  /** Shuts down fast: connections are ended and nothing is lost. When that hangs, the server is ended as by a crash. */
  stop(): Promise<void> {
    return this.service.stop(stopMs, 'SIGQUIT');
  }

  /** Ends the server as a power cut would. Its children notice that and end. */
  kill(): Promise<void> {
    return this.service.kill();
  }

  /** Stops the server if it runs, and starts a new process on the same data and port. */
  async restart(): Promise<PostgresServer> {
    await this.stop();
    return PostgresServer.start({ ...this.options, port: this.port });
  }

  private static async run(
    data: string,
    user: SystemUser | undefined,
    options: PostgresOptions,
  ): Promise<PostgresServer> {
    const { settings, logFile, ownSession, programs, signal } = options;
    const { bin } = postgresPrograms(user, programs);
    for (let left = tries; ; left -= 1) {
      if (signal?.aborted) throw calledOff('PostgreSQL');
      const port = options.port ?? (await freePort());
      const all = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', ...settings };
      const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
      const before = existsSync(logFile) ? statSync(logFile).size : 0;
      const program = join(bin, 'postgres');
      const service = ChildService.start({
        program,
        args,
        logFile,
        env: serverEnvironment,
        user,
        cwd: data,
        stopSignal: 'SIGINT',
        ownSession,
      });
      const server = new PostgresServer(service, port, data, options);
      try {
        await server.ready();
        return server;
      } catch (error) {
        await service.kill();
        const said = await logSince(logFile, before);
        const passes = (options.port === undefined && portTaken.test(said)) || said.includes(childrenLeft);
        if (!passes || left === 0) throw error;
        await delay(againMs);
      }
    }
  }

  private async ready(): Promise<void> {
    const { logFile, signal, isOthers } = this.options;
    const movement = new Movement({ pid: this.pid, logFile });
    let ended: string | undefined;
    void this.ended.then((how) => {
      ended = how;
    });
    for (;;) {
      const refusal = await this.refusal();
      if (refusal === undefined) return;
      if (signal?.aborted) throw calledOff(`PostgreSQL in ${this.dataDirectory}`);
      if (isOthers && notLetIn.includes(refusal.code)) return;
      if (notLetIn.includes(refusal.code)) {
        throw new ServiceFault(
          'no-place',
          `PostgreSQL in ${this.dataDirectory} runs, but does not let us in: ${refusal.message}. The password is that of the first start.`,
        );
      }
      // The server may have much to recover, or the machine may be slow. It is waited for as long as it moves.
      if (refusal.code === startingUp) movement.moved();
      if (ended !== undefined || movement.isStill()) {
        const still = `does not answer, and has neither written nor computed for ${movement.longestStillMs / 1_000} s`;
        const why = ended ?? `${still}: ${refusal.message}`;
        throw new ServiceFault(
          'did-not-start',
          `PostgreSQL in ${this.dataDirectory} ${why}. Its log, ${logFile}, ends:\n${await lastLines(logFile)}`,
        );
      }
      await delay(lookMs);
    }
  }

  /** Why no connection is possible now; undefined when one is. */
  private async refusal(): Promise<{ code: string; message: string } | undefined> {
    const client = new pg.Client({ connectionString: this.url(), connectionTimeoutMillis: 10_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      return undefined;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      return { code, message: messageOf(error) };
    } finally {
      await client.end().catch(() => {});
    }
  }
}

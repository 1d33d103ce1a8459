/**
 * A server on a restored folder that nobody else can reach. It listens on a socket in a folder of its own and on no network. It
 * gets nothing of this process's environment, and does nothing in its source's place.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '@strongroom/contracts';
import {
  ChildService,
  insteadOfRoot,
  postgresPrograms,
  type SystemUser,
  serverEnvironment,
} from '@strongroom/server-processes';
import pg from 'pg';
import { standAloneSettings } from '../restore/stand-alone-settings.js';

const run = promisify(execFile);
const port = 5432;
const lookMs = 50;
const stopMs = 60_000;
/** Counts anew as long as the server says that it recovers. */
const silentMs = 120_000;
const startingUp = '57P03';
const firstWithLoginTriggers = 17;
/** Asks for the role that the server was made with. initdb may have been told to give it another name. */
const superuserQuery = 'select rolname from pg_catalog.pg_authid where oid = 10';
/** No tenant's function takes the place of the server's own, no limit ends the reading, and equal rows look equal everywhere. */
const session = {
  search_path: 'pg_catalog',
  session_preload_libraries: '',
  local_preload_libraries: '',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  row_security: 'off',
  datestyle: 'ISO',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  xmloption: 'content',
  lc_monetary: 'C',
  default_transaction_isolation: 'repeatable\\ read',
};
const sessionOptions = Object.entries(session)
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ');

export interface Programs {
  /** The program `postgres`. */
  postgres: string;
  user: SystemUser | undefined;
}

/**
 * Finds the programs of a major version.
 * @param bin a folder with `postgres`; default: the one that npm has installed
 * @returns the programs; or why there are none, as a sentence for people
 */
export async function programsFor(major: number, bin?: string): Promise<Programs | string> {
  const user = insteadOfRoot();
  try {
    const postgres = join(bin ?? postgresPrograms(user).bin, 'postgres');
    const { stdout } = await run(postgres, ['--version'], { ...asUser(user), env: serverEnvironment });
    const found = Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1]);
    if (found === major) return { postgres, user };
    return `the backup is of PostgreSQL ${major}, and ${postgres} is of ${found}. Give the folder with the programs of ${major}: --programs BIN`;
  } catch (error) {
    return `no PostgreSQL could be run: ${messageOf(error)}. Give the folder with its programs: --programs BIN`;
  }
}

export class ScratchServer {
  private constructor(
    private readonly service: ChildService,
    private readonly sockets: string,
    private readonly superuser: string,
  ) {}

  /**
   * @param scratch a folder of the caller's own, with the restored folder in it
   * @throws with the end of the server's log
   */
  static async start(
    { postgres, user }: Programs,
    scratch: string,
    data: string,
    major: number,
  ): Promise<ScratchServer> {
    const sockets = join(scratch, 's');
    await mkdir(sockets, { mode: 0o700, recursive: true });
    const [hba, ident, logFile] = ['hba', 'ident', 'log'].map((name) => join(scratch, name)) as [
      string,
      string,
      string,
    ];
    // Only the user who started this can open the socket.
    await writeFile(hba, 'local all all trust\n');
    for (const file of [ident, logFile]) await writeFile(file, '');
    if (user) {
      const outside = existsSync(`${data}.tablespaces`) ? [`${data}.tablespaces`] : [];
      await run('chown', ['-R', `${user.uid}:${user.gid}`, data, ...outside]);
      for (const path of [sockets, hba, ident]) await chown(path, user.uid, user.gid);
      await chmod(scratch, 0o711);
    }
    const settings = {
      ...standAloneSettings(major),
      listen_addresses: '',
      unix_socket_directories: sockets,
      port,
      hba_file: hba,
      ident_file: ident,
      autovacuum: 'off',
      fsync: 'off',
      ...(major >= firstWithLoginTriggers && { event_triggers: 'off' }),
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const superuser = await superuserOf(postgres, ['-D', data, ...args], user, logFile);
    const service = ChildService.start({
      program: postgres,
      args: ['-D', data, ...args],
      logFile,
      env: serverEnvironment,
      cwd: data,
      user,
      stopSignal: 'SIGINT',
    });
    const server = new ScratchServer(service, sockets, superuser);
    try {
      await server.ready();
      return server;
    } catch (error) {
      await service.kill();
      const said = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-8).join('\n');
      throw new Error(`The server did not start: ${messageOf(error)}\n${said}`);
    }
  }

  /** Connects as the superuser. */
  async connect(database: string): Promise<pg.Client> {
    const client = new pg.Client({
      host: this.sockets,
      port,
      user: this.superuser,
      database,
      // The settings of a role or a database override the command line, and these override them.
      options: sessionOptions,
    });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  stop(): Promise<void> {
    return this.service.stop(stopMs, 'SIGQUIT');
  }

  private async ready(): Promise<void> {
    let deadline = Date.now() + silentMs;
    let ended: string | undefined;
    void this.service.ended.then((how) => {
      ended = how;
    });
    for (;;) {
      try {
        await (await this.connect('template1')).end();
        return;
      } catch (error) {
        if (ended !== undefined) throw new Error(`it ${ended}`);
        if (error instanceof Error && 'code' in error && error.code === startingUp) deadline = Date.now() + silentMs;
        if (Date.now() > deadline) throw error;
        await delay(lookMs);
      }
    }
  }
}

/** Asks in single-user mode, since a connection would need the name. The server recovers the folder on the way. */
async function superuserOf(
  postgres: string,
  args: string[],
  user: SystemUser | undefined,
  logFile: string,
): Promise<string> {
  const asked = run(postgres, ['--single', ...args, 'template1'], { ...asUser(user), env: serverEnvironment });
  asked.child.stdin?.end(`${superuserQuery}\n`);
  try {
    const [, name] = /rolname = "(.*)"\t\(typeid/.exec((await asked).stdout) ?? [];
    if (name === undefined) throw new Error('it does not tell its superuser');
    return name;
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    await writeFile(logFile, said);
    throw new Error(`The server did not start:\n${said.trimEnd().split('\n').slice(-8).join('\n')}`);
  }
}

function asUser(user: SystemUser | undefined) {
  return user ? { uid: user.uid, gid: user.gid, cwd: '/' } : { cwd: '/' };
}

/** The stack: its parts, in the order in which they start. They stop in the opposite order. */
import { mkdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { migrateDatabase } from '@strongroom/database';
import { type KafkaBroker, type VersityGateway } from '@strongroom/local-services';
import { serviceMemory } from '@strongroom/runtime';
import { isFree, PostgresServer } from '@strongroom/server-processes';
import { environmentOf, settingsOfKafka, sizesOfMemory } from './app-environment.js';
import { type AppName, type AppProcess, endLeftoverApps, startApp } from './app-process.js';
import { Board, type Row } from './board.js';
import { chooseBroker } from './broker.js';
import { fillDemo } from './demo-data.js';
import { type EncryptionKeys, readOrMakeKeys } from './encryption-keys.js';
import { guestUsers } from './guest-users.js';
import { LogFolder } from './log-folder.js';
import { type StackOptions, UsageFault } from './options.js';
import { ensureOwnDatabase } from './own-database.js';
import { portOf } from './ports.js';
import { readOrMakeSecrets, type Secrets, writeTokensFile } from './secrets.js';
import { StackFile } from './stack-file.js';
import { watched } from './start-watch.js';
import { type Running, Supervised } from './supervised.js';
import type { Terminal } from './terminal.js';
import { chooseVaults, vaultsBefore } from './vault-store.js';

const regions = ['DFW', 'IAD', 'ORD', 'HKG', 'SYD'] as const;
const homeRegion = 'DFW';
const rows = {
  postgres: 'PostgreSQL',
  vaults: 'Vaults',
  broker: 'Broker',
  demo: 'Demo customer',
  api: 'API',
} as const;
const appRows: Readonly<Record<AppName, string>> = { api: rows.api, scheduler: 'Scheduler', replicator: 'Replicator' };

const whatIsMissed =
  'Nothing is lost by that: backups, copies and the API work as with a Kafka. Only other services cannot subscribe to the events.';

/** What the stack gives to single services. No service finds it in its environment otherwise. */
const ofStack = ['STRONGROOM_DATABASE_URL', 'STRONGROOM_SECRET_KEY'];

/** A supervised process of any kind. */
type Part = Pick<Supervised<Running>, 'expectEnd' | 'stop' | 'kill'>;

export interface Surroundings {
  /** The folder with the built services and the sources of Kafka. */
  projectFolder: string;
  terminal: Terminal;
  /** Cancels the start. */
  signal: AbortSignal;
}

export class Stack {
  readonly logs: LogFolder;
  readonly file: StackFile;
  private readonly data: string;
  private readonly secrets: Secrets;
  /** What opens the backups. */
  readonly keys: EncryptionKeys;
  private readonly servers = new Set<Part>();
  private readonly services = new Set<Part>();
  private readonly stopping = new AbortController();
  /** How each service reaches the database, as a role of its own. */
  private databaseUrls: Readonly<Record<AppName, string>> | undefined;
  /** Whole sentences about what the stack does without. */
  private readonly advice: string[] = [];

  private constructor(
    private readonly options: StackOptions,
    private readonly projectFolder: string,
    private readonly terminal: Terminal,
  ) {
    this.data = resolve(options.data);
    this.logs = new LogFolder(join(this.data, 'log'));
    this.secrets = readOrMakeSecrets(this.data);
    this.keys = readOrMakeKeys(this.data);
    this.file = new StackFile(this.data);
  }

  /** @throws when a part cannot be started or the signal cancels the start; everything that was started is stopped */
  static async start(options: StackOptions, { projectFolder, terminal, signal }: Surroundings): Promise<Stack> {
    const stack = new Stack(options, projectFolder, terminal);
    const inBuckets = (options.vaults ?? vaultsBefore(stack.data)) === 's3';
    const labels = [
      rows.postgres,
      ...(inBuckets ? [rows.vaults] : []),
      rows.broker,
      ...(options.demo ? [rows.demo] : []),
      ...Object.values(appRows),
    ];
    const board = new Board(terminal, labels);
    const starting = stack.startAll(board).catch((error: unknown) => {
      stack.stopping.abort(error);
      throw error;
    });
    try {
      await Promise.race([starting, abortOf(signal), abortOf(stack.stopping.signal)]);
      return stack;
    } catch (error) {
      board.end();
      await stack.stop();
      // Some parts may have come up after the first stop.
      await starting.catch(() => {});
      await stack.stop();
      throw error;
    } finally {
      board.end();
      if (stack.advice.length > 0) terminal.say(...stack.advice.map((sentence) => `    ${sentence}`));
    }
  }

  /** Stops the services first, and then the servers that they use. */
  async stop(): Promise<void> {
    this.stopping.abort();
    for (const part of [...this.services, ...this.servers]) part.expectEnd();
    for (const group of [this.services, this.servers]) await Promise.all([...group].map((part) => part.stop()));
    this.logs.end();
    this.file.runsNot('launcher');
  }

  /** Kills every process. */
  kill(): void {
    this.stopping.abort();
    for (const part of [...this.services, ...this.servers]) part.kill();
    this.file.change({ pids: {}, health: {} });
  }

  private async startAll(board: Board): Promise<void> {
    const runFolder = join(this.data, 'run');
    await endLeftoverApps(runFolder);
    const { port, demo } = this.options;
    if (!(await isFree(port))) {
      throw new UsageFault(
        `port ${port} is taken by another program. Stop it, or choose another: npm start -- --port ${port + 1}`,
      );
    }
    const { accountId, otherAccountId, tokens } = this.secrets;
    const api = `http://127.0.0.1:${port}`;
    this.file.change({ api, accountId, otherAccountId, homeRegion, tokens });
    this.file.runs('launcher', process.pid);
    const founded = this.every([this.startVaults(board), this.startOwnPostgres(board), this.startBroker(board)]);
    await this.every([
      founded.then(() => this.startServices(board, runFolder)),
      ...(demo ? [this.startDemo(board)] : []),
    ]);
  }

  private async startOwnPostgres(board: Board): Promise<void> {
    const row = board.begin(rows.postgres);
    const { databasePassword, rolePasswords } = this.secrets;
    const server = await this.postgres(row, 'postgres', 'postgresql', databasePassword);
    const { owner, services } = await ensureOwnDatabase(server.url(), {
      owner: databasePassword,
      services: rolePasswords,
    });
    row.doing('bringing the schema up to date …');
    await migrateDatabase(owner, 'strongroom-stack');
    this.databaseUrls = services;
    this.file.change({ postgres: owner });
    row.done(`18, at 127.0.0.1:${server.port}`);
  }

  private async startVaults(board: Board): Promise<void> {
    const store = await chooseVaults({
      wanted: this.options.vaults,
      regions,
      data: this.data,
      projectFolder: this.projectFolder,
      env: process.env,
      logFile: this.logs.file('s3'),
      onBuild: () => board.begin(rows.vaults).doing('building Versity S3 Gateway by Go, once …'),
      signal: this.stopping.signal,
    });
    if (store.kind === 's3') {
      const row = board.begin(rows.vaults);
      const starting = this.supervise<VersityGateway>(this.servers, 's3', store.start);
      await watched(row, this.logs.file('s3'), starting);
      row.done(`Versity S3 Gateway, at ${store.url}`);
    }
    this.file.change({ vaults: store.vaults });
  }

  private async startDemo(board: Board): Promise<void> {
    const row = board.begin(rows.demo);
    const { demoPassword } = this.secrets;
    const server = await this.postgres(row, 'demo-postgres', 'demo-postgresql', demoPassword);
    await fillDemo(server.url(), demoPassword, () => row.doing('filling a shop with sample data …'));
    this.file.change({ demo: { postgres: server.url('shop') } });
    row.done(`PostgreSQL 18, at 127.0.0.1:${server.port}`);
  }

  private async startBroker(board: Board): Promise<void> {
    const row = board.begin(rows.broker);
    const choice = await chooseBroker({
      wanted: this.options.broker,
      env: process.env,
      data: this.data,
      projectFolder: this.projectFolder,
      logFile: this.logs.file('kafka'),
      onFetch: () => row.doing('fetching Apache Kafka by Maven, once …'),
      onProgress: (what) => row.doing(`fetching Apache Kafka by Maven, once: ${what}`),
      signal: this.stopping.signal,
    });
    if (choice.kind === 'embedded') {
      this.file.change({ broker: 'embedded' });
      row.noted(`none: events go through PostgreSQL (embedded feed), ${choice.because}`);
      if (choice.remedy !== undefined) this.advice.push(whatIsMissed, `To have a Kafka, ${choice.remedy}.`);
      return;
    }
    if (choice.kind === 'own') {
      const starting = this.supervise<KafkaBroker>(this.servers, 'kafka', choice.start);
      await watched(row, this.logs.file('kafka'), starting);
      this.file.change({ broker: 'kafka', kafka: choice.brokers });
      row.done(`Apache Kafka 4.4, at ${choice.brokers}`);
    } else {
      const { brokers, namespace } = choice;
      this.file.change({ broker: 'kafka', kafka: brokers, namespace });
      row.done(`Kafka of KAFKA_BROKERS, topics ${namespace}.*, at ${brokers}`);
    }
  }

  private async startServices(board: Board, runFolder: string): Promise<void> {
    const env = this.environment();
    const ports = {
      operators: await portOf('operators', this.data),
      scheduler: await portOf('scheduler', this.data),
      replicator: await portOf('replicator', this.data),
    };
    const start = async (app: AppName, port: number) => {
      const row = board.begin(appRows[app]);
      const main = join(this.projectFolder, 'dist', 'apps', app, 'src', 'main.js');
      const appEnv = environmentOf(app, {
        ...env,
        STRONGROOM_DATABASE_URL: this.databaseUrls?.[app],
        STRONGROOM_HTTP_PORT: String(port),
        STRONGROOM_PRIVATE_PORT: String(ports.operators),
        STRONGROOM_SECRET_KEY: this.secrets.secretKey,
      });
      const starting = this.supervise<AppProcess>(
        this.services,
        app,
        (signal) => startApp({ app, main, env: appEnv, logs: this.logs, runFolder, signal }),
        (running) => running.privateUrl,
      );
      const { url } = await watched(row, this.logs.file(app), starting);
      row.done(app === 'api' ? url : `${url}/health/ready`);
    };
    await this.every([
      start('api', this.options.port),
      start('scheduler', ports.scheduler),
      start('replicator', ports.replicator),
    ]);
  }

  /** What the services have of their environment together. Every other `STRONGROOM_` variable of the launcher is handed on. */
  private environment(): NodeJS.ProcessEnv {
    const { vaults, broker, kafka, namespace } = this.file.current;
    const asked = Object.entries(process.env).filter(
      ([name]) => name.startsWith('STRONGROOM_') && !ofStack.some((own) => name.startsWith(own)),
    );
    return {
      PATH: process.env.PATH,
      // A region whose file system hangs blocks four threads.
      UV_THREADPOOL_SIZE: String(4 + 4 * Object.keys(vaults).length),
      ...serviceMemory(sizesOfMemory(process.env.NODE_OPTIONS)),
      // On one machine one may want to see the bytes go. A deployment keeps them for a week.
      STRONGROOM_DELETION_DELAY_SECONDS: '600',
      // On one's own machine one may restore one's own backups. A deployment switches it on itself.
      STRONGROOM_BUILT_SERVERS: 'on',
      ...guestUsers(this.data),
      // The servers to try it with are on this machine, as the demo is.
      STRONGROOM_CUSTOMER_NETWORKS: '127.0.0.0/8,::1',
      ...unlessAsked(this.keys.environment, asked),
      ...Object.fromEntries(asked),
      STRONGROOM_FEED: broker,
      ...(kafka !== undefined && { KAFKA_BROKERS: kafka }),
      // A Kafka that was given has its settings beside the brokers, and one of the stack's own has none.
      ...(process.env.KAFKA_BROKERS && broker === 'kafka' && settingsOfKafka(process.env)),
      ...(namespace !== undefined && { STRONGROOM_NAMESPACE: namespace }),
      STRONGROOM_HOME_REGION: homeRegion,
      STRONGROOM_VAULTS: Object.entries(vaults)
        .map(([region, url]) => `${region}=${url}`)
        .join(','),
      STRONGROOM_TOKENS_FILE: writeTokensFile(this.data, this.secrets),
      STRONGROOM_INSTANCES_DIR: this.folder('instances'),
      STRONGROOM_SUPERVISED: '1',
    };
  }

  private async postgres(row: Row, name: string, folder: string, password: string): Promise<PostgresServer> {
    const directory = join(this.data, folder);
    await PostgresServer.endLeftover(directory);
    const port = await portOf(name, this.data);
    // The services have up to seventy connections together, and a measurement has a hundred beside them.
    const settings = { summarize_wal: 'on', max_connections: 200 };
    const logFile = this.logs.file(name);
    const starting = this.supervise<PostgresServer>(this.servers, name, (signal) =>
      PostgresServer.start({ directory, password, port, settings, logFile, ownSession: true, signal }),
    );
    return watched(row, logFile, starting);
  }

  /** @returns the first process that runs */
  private async supervise<T extends Running>(
    group: Set<Part>,
    name: string,
    start: (signal: AbortSignal) => Promise<T>,
    healthOf: (running: T) => string | undefined = () => undefined,
  ): Promise<T> {
    const { yellow, green, dim } = this.terminal;
    const now = () => dim(new Date().toTimeString().slice(0, 8));
    let lost = false;
    let first: T | undefined;
    const supervised = await Supervised.start<T>(
      {
        start,
        onStarted: (running) => {
          first ??= running;
          this.file.runs(name, running.pid, healthOf(running));
          if (lost) this.terminal.say(`  ${green('✓')} ${now()} ${name} runs again ${dim(`(pid ${running.pid})`)}`);
          lost = false;
        },
        onLost: (how, pauseMs) => {
          lost = true;
          this.file.runsNot(name);
          const log = dim(`Log: ${relative('.', this.logs.file(name))}`);
          this.terminal.say(
            `  ${yellow('!')} ${now()} ${name} ${how.split('\n')[0]}; started again in ${pauseMs / 1_000} s. ${log}`,
          );
        },
        onStopped: () => this.file.runsNot(name),
      },
      this.stopping.signal,
    );
    group.add(supervised);
    if (!first) throw new Error(`${name} was lost as it started`);
    return first;
  }

  /** Waits for all. A failure cancels the others, so that nothing is still starting when the stack is stopped. */
  private async every(starts: Promise<void>[]): Promise<void> {
    const outcomes = await Promise.allSettled(
      starts.map((start) =>
        start.catch((error: unknown) => {
          // Only the first reason counts: a signal that is aborted stays so.
          this.stopping.abort(error);
          throw error;
        }),
      ),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** A folder of the stack. The services get no path that is not there. */
  private folder(...names: string[]): string {
    const folder = join(this.data, ...names);
    mkdirSync(folder, { recursive: true });
    return folder;
  }
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** What the launcher's own environment says goes before what the stack would say, as a value or as the path of a file. */
function unlessAsked(usual: NodeJS.ProcessEnv, asked: readonly (readonly [string, unknown])[]): NodeJS.ProcessEnv {
  const plain = (name: string) => name.replace(/_FILE$/, '');
  const names = new Set(asked.map(([name]) => plain(name)));
  return Object.fromEntries(Object.entries(usual).filter(([name]) => !names.has(plain(name))));
}

/** The stack: what it is made of, in the order in which it starts; it stops in the opposite one. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type KafkaBroker, PostgresServer } from '@strongroom/local-services';
import { type AppName, type AppProcess, startApp } from './app-process.js';
import { chooseBroker } from './broker.js';
import { fillDemo } from './demo-data.js';
import type { StackOptions } from './options.js';
import { ensureOwnDatabase } from './own-database.js';
import { portOf } from './ports.js';
import { RotatingLog } from './rotating-log.js';
import { readOrMakeSecrets, writeTokensFile } from './secrets.js';
import { StackFile } from './stack-file.js';
import { type Running, Supervised } from './supervised.js';
import { done, say, yellow } from './terminal.js';

const regions = ['DFW', 'IAD', 'ORD', 'HKG', 'SYD'] as const;
const homeRegion = 'DFW';

interface Stoppable {
  stop(): Promise<void>;
}

export class Stack {
  private readonly parts: Stoppable[][] = [];

  private constructor(
    private readonly data: string,
    readonly file: StackFile,
  ) {}

  /** @throws when a part can't be started or the signal ends it; what was started by then is stopped */
  static async start(options: StackOptions, signal: AbortSignal): Promise<Stack> {
    const data = resolve(options.data);
    mkdirSync(join(data, 'log'), { recursive: true });
    for (const region of regions) mkdirSync(join(data, 'vaults', region), { recursive: true });
    const secrets = readOrMakeSecrets(data);
    const before = StackFile.read(data);
    const vaults = Object.fromEntries(
      regions.map((region) => [region, pathToFileURL(join(data, 'vaults', region)).href]),
    );
    const stack = new Stack(
      data,
      new StackFile(data, {
        api: `http://127.0.0.1:${options.port}`,
        accountId: secrets.accountId,
        otherAccountId: secrets.otherAccountId,
        instanceId: before?.instanceId ?? null,
        homeRegion,
        tokens: secrets.tokens,
        broker: 'embedded',
        postgres: '',
        vaults,
        pids: { launcher: process.pid },
        health: {},
      }),
    );
    try {
      await stack.startServers(options, secrets);
      signal.throwIfAborted();
      await stack.startApps(options, writeTokensFile(data, secrets), secrets.secretKey);
      return stack;
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const group of this.parts.splice(0).reverse()) await Promise.all(group.map((part) => part.stop()));
    this.file.change({ pids: {}, health: {} });
  }

  private async startServers(options: StackOptions, secrets: ReturnType<typeof readOrMakeSecrets>): Promise<void> {
    const group: Stoppable[] = [];
    this.parts.push(group);
    const postgres = async () => {
      const begun = performance.now();
      const server = await this.postgres('postgres', 'postgresql', secrets.databasePassword, {});
      group.push(server);
      const url = await ensureOwnDatabase(server.current?.url() ?? '', secrets.databasePassword);
      this.file.change({ postgres: url });
      done('PostgreSQL', `port ${server.current?.port}`, seconds(begun));
    };
    const broker = async () => {
      const begun = performance.now();
      const choice = await chooseBroker(options.broker, this.data, this.log('kafka'));
      if (choice.kind === 'embedded') {
        this.file.change({ broker: 'embedded' });
        say(`  ${yellow('!')} Broker: ${choice.detail}`);
        return;
      }
      if (choice.own) group.push(await this.supervise<KafkaBroker>('kafka', choice.own));
      this.file.change({ broker: 'kafka', kafka: choice.brokers });
      done('Broker', `${choice.detail}, ${choice.brokers}`, seconds(begun));
    };
    const demo = async () => {
      const begun = performance.now();
      const server = await this.postgres('demo-postgres', 'demo-postgresql', secrets.demoPassword, { fsync: 'off' });
      group.push(server);
      const url = server.current?.url('shop') ?? '';
      await fillDemo(server.current?.url() ?? '', secrets.demoPassword);
      this.file.change({ demo: { postgres: url } });
      done('Demo customer’s database', `port ${server.current?.port}`, seconds(begun));
    };
    await every([postgres(), broker(), ...(options.demo ? [demo()] : [])]);
  }

  private async startApps(options: StackOptions, tokensFile: string, secretKey: string): Promise<void> {
    const { postgres, vaults, broker, kafka } = this.file.current;
    const env: NodeJS.ProcessEnv = {
      PATH: process.env.PATH,
      STRONGROOM_DATABASE_URL: postgres,
      STRONGROOM_FEED: broker,
      ...(kafka !== undefined && { KAFKA_BROKERS: kafka }),
      STRONGROOM_HOME_REGION: homeRegion,
      STRONGROOM_VAULTS: Object.entries(vaults)
        .map(([region, url]) => `${region}=${url}`)
        .join(','),
      STRONGROOM_TOKENS_FILE: tokensFile,
      STRONGROOM_SECRET_KEY: secretKey,
      STRONGROOM_SUPERVISED: '1',
    };
    const group: Stoppable[] = [];
    this.parts.push(group);
    const start = async (app: AppName, port: number) => {
      const begun = performance.now();
      const log = new RotatingLog(this.log(app));
      const supervised = await this.supervise<AppProcess>(
        app,
        () => startApp(app, { ...env, STRONGROOM_HTTP_PORT: String(port) }, log),
        ({ url }) => {
          if (app !== 'api') this.file.change({ health: { ...this.file.current.health, [app]: url } });
        },
      );
      group.push(supervised);
      done(app, supervised.current?.url ?? '', seconds(begun));
    };
    await every([start('api', options.port), start('scheduler', 0), start('replicator', 0)]);
  }

  private async postgres(name: string, folder: string, password: string, settings: Record<string, string>) {
    const directory = join(this.data, folder);
    await PostgresServer.endLeftover(directory);
    const port = await portOf(name, this.data);
    return this.supervise<PostgresServer>(name, () =>
      PostgresServer.start({
        directory,
        password,
        port,
        settings: { ...settings, summarize_wal: 'on' },
        logFile: this.log(name),
      }),
    );
  }

  private supervise<T extends Running>(
    name: string,
    start: () => Promise<T>,
    started: (running: T) => void = () => {},
  ): Promise<Supervised<T>> {
    let lost = false;
    return Supervised.start<T>({
      name,
      start,
      onStarted: (running) => {
        this.file.runs(name, running.pid);
        started(running);
        if (lost) say(`  ${yellow('↻')} ${name} runs again (pid ${running.pid})`);
        lost = false;
      },
      onLost: (how, pauseMs) => {
        this.file.runsNot(name);
        lost = true;
        say(`  ${yellow('!')} ${name} ${how}; started again in ${pauseMs / 1_000} s. Its log: ${this.log(name)}`);
      },
    });
  }

  private log(name: string): string {
    const folder = join(this.data, 'log');
    chmodSync(folder, 0o755);
    return join(folder, `${name}.log`);
  }
}

/** Waits for all, also when one fails, so that nothing is still starting when what runs is stopped. */
async function every(starts: Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(starts);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
}

function seconds(begun: number): number {
  return (performance.now() - begun) / 1_000;
}

/** A real Apache Kafka as a child process. It has one node, which is broker and controller in one (KRaft). */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ChildService,
  calledOff,
  endProcess,
  freePort,
  identityOf,
  lastLines,
  logSince,
  Movement,
  ServiceFault,
} from '@strongroom/server-processes';
import { hasClassArchive, makeClassArchive, withClassArchive } from './class-archive.js';
import { findJava } from './java.js';
import { formatStorage, writeSettings } from './kafka-settings.js';

export interface KafkaOptions {
  /** The folder with the jars, from `findKafka`. */
  jars: string;
  /** The folder with `log4j2.properties`. */
  sources: string;
  /** The folder with the data, which stays between starts. */
  directory: string;
  /** Default: any free port. Clients know a broker by its address, so the port stays over restarts. */
  port?: number;
  /** Default: any free port. */
  controllerPort?: number;
  logFile: string;
  /** Settings of Kafka beside ours or in place of them: listeners for other ways to connect, limits. */
  settings?: Readonly<Record<string, string>>;
  /** More arguments for the tool that formats the storage, such as users of SCRAM. */
  format?: readonly string[];
  /** Whether a Ctrl-C on the terminal does not reach it. Then the process that started it stops it. */
  ownSession?: boolean;
  /** Ends the start when it is aborted. */
  signal?: AbortSignal;
}

const stopMs = 15_000;
/** On a busy machine, Java writes its classes for some seconds. */
const archiveMs = 60_000;
const lookMs = 50;
const tries = 3;

export class KafkaBroker {
  private constructor(
    private readonly service: ChildService,
    private readonly options: KafkaOptions & { port: number; controllerPort: number },
  ) {}

  /** Returns when the broker takes connections. @throws {ServiceFault} with the end of the log */
  static async start(options: KafkaOptions): Promise<KafkaBroker> {
    const { java, version } = await javaForKafka();
    return KafkaBroker.run(options, java, withClassArchive(options.jars, version));
  }

  /**
   * Starts a broker as `start` does. Before that, where it is missing, it makes the file with which this start and later ones compute half as
   * much. That takes as long as another start.
   */
  static async startWithArchive(options: KafkaOptions): Promise<KafkaBroker> {
    const { jars } = options;
    const { java, version } = await javaForKafka();
    if (hasClassArchive(jars, version)) return KafkaBroker.start(options);
    const first = await makeClassArchive(jars, version, async (atExit) => {
      const broker = await KafkaBroker.run(options, java, [], atExit);
      await broker.service.stop(archiveMs);
      return { broker, how: await broker.ended };
    });
    return KafkaBroker.start(first.options);
  }

  /** @param atExit arguments of the broker alone, not of what formats its storage */
  private static async run(
    options: KafkaOptions,
    java: string,
    archive: string[],
    atExit: string[] = [],
  ): Promise<KafkaBroker> {
    const { directory, logFile, ownSession, signal } = options;
    const jvm = [...archive, ...argumentsOf(options)];
    await endLeftover(directory);
    for (let left = tries; ; left -= 1) {
      const port = options.port ?? (await freePort());
      const controllerPort = options.controllerPort ?? (await freePort());
      const settings = writeSettings(directory, { port, controllerPort, settings: options.settings });
      await formatStorage(directory, { java, jvm, settings, format: options.format, signal });
      if (signal?.aborted) throw calledOff('Kafka');
      const before = existsSync(logFile) ? statSync(logFile).size : 0;
      const args = [...atExit, ...jvm, 'kafka.Kafka', settings];
      const service = ChildService.start({ program: java, args, logFile, stopSignal: 'SIGTERM', ownSession });
      writeFileSync(pidFile(directory), identityOf(service.pid) ?? '');
      const broker = new KafkaBroker(service, { ...options, port, controllerPort });
      try {
        await broker.ready(before);
        return broker;
      } catch (error) {
        await service.kill();
        const portTaken = (await logSince(logFile, before)).includes('Address already in use');
        if (!portTaken || options.port !== undefined || left === 0) throw error;
      }
    }
  }

  /** Stops a broker that an earlier process left running on the folder; its port is free then. */
  static endLeftover(directory: string): Promise<void> {
    return endLeftover(directory);
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

  /** `host:port` */
  get address(): string {
    return `127.0.0.1:${this.options.port}`;
  }

  stop(): Promise<void> {
    return this.service.stop(stopMs);
  }

  /** Ends the process as a power cut would. */
  kill(): Promise<void> {
    return this.service.kill();
  }

  /** Stops the broker if it runs, and starts a new process on the same data and port. */
  async restart(): Promise<KafkaBroker> {
    await this.stop();
    return KafkaBroker.start(this.options);
  }

  private async ready(before: number): Promise<void> {
    const { directory, logFile, port, signal } = this.options;
    const movement = new Movement({ pid: this.pid, logFile });
    let ended: string | undefined;
    void this.ended.then((how) => {
      ended = how;
    });
    while (!((await logSince(logFile, before)).includes('Kafka Server started') && (await answers(port)))) {
      if (signal?.aborted) throw calledOff(`Kafka in ${directory}`);
      if (ended !== undefined || movement.isStill()) {
        const still = `does not serve, and has neither written nor computed for ${movement.longestStillMs / 1_000} s`;
        throw new ServiceFault(
          'did-not-start',
          `Kafka in ${directory} ${ended ?? still}. Its log, ${logFile}, ends:\n${await lastLines(logFile)}`,
        );
      }
      await delay(lookMs);
    }
  }
}

async function javaForKafka(): Promise<{ java: string; version: string }> {
  const { java, version, reason } = await findJava();
  if (java === undefined) throw new ServiceFault('not-installed', `Kafka can't be run: ${reason}`);
  return { java, version };
}

function argumentsOf({ jars, sources }: KafkaOptions): string[] {
  const log = `-Dlog4j2.configurationFile=${join(sources, 'log4j2.properties')}`;
  return ['-Xms128m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', log, '-cp', join(jars, '*')];
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function pidFile(directory: string): string {
  return join(directory, 'pid');
}

/** Stops a broker that still runs on this folder because the process that started it was killed. */
async function endLeftover(directory: string): Promise<void> {
  const file = pidFile(directory);
  if (!existsSync(file)) return;
  const identity = readFileSync(file, 'utf8');
  await endProcess(identity, { what: `Kafka on ${directory}`, signal: 'SIGTERM', graceMs: stopMs });
}

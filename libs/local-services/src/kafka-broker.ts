/** A real Apache Kafka of one node (KRaft, broker and controller in one) as a child process. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ChildService, lastLines } from './child-service.js';
import { freePort } from './free-port.js';
import { ServiceFault } from './service-fault.js';

const run = promisify(execFile);

export interface KafkaOptions {
  /** Of `findKafka`. */
  jars: string;
  /** The folder with `log4j2.properties`. */
  sources: string;
  /** Kept between starts. */
  directory: string;
  /** Any free one when absent. A broker's address is part of what clients know of it, so it stays over restarts. */
  port?: number;
  logFile: string;
}

const startMs = 60_000;

export class KafkaBroker {
  private constructor(
    private readonly service: ChildService,
    private readonly options: Required<KafkaOptions>,
  ) {}

  /** @throws {ServiceFault} with the end of the log */
  static async start(options: KafkaOptions): Promise<KafkaBroker> {
    const port = options.port ?? (await freePort());
    const all = { ...options, port };
    await endLeftover(all.directory);
    const settings = await prepare(all);
    const seen = existsSync(all.logFile) ? statSync(all.logFile).size : 0;
    const service = ChildService.start({
      program: 'java',
      args: [...jvm(all), 'kafka.Kafka', settings],
      logFile: all.logFile,
    });
    writeFileSync(join(all.directory, 'pid'), String(service.pid));
    const broker = new KafkaBroker(service, all);
    await broker.ready(seen);
    return broker;
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

  /** Settles when the process has ended, with how. */
  get ended(): Promise<string> {
    return this.service.ended;
  }

  /** `host:port` */
  get address(): string {
    return `127.0.0.1:${this.options.port}`;
  }

  stop(): Promise<void> {
    return this.service.end('SIGTERM', 15_000);
  }

  kill(): Promise<void> {
    return this.service.end('SIGKILL', 1_000);
  }

  /** A new process on the same data and port. */
  restart(): Promise<KafkaBroker> {
    return KafkaBroker.start(this.options);
  }

  private async ready(seen: number): Promise<void> {
    const { logFile, port } = this.options;
    const deadline = Date.now() + startMs;
    let ended: string | undefined;
    void this.ended.then((how) => {
      ended = how;
    });
    while (!((await said(logFile, seen)).includes('Kafka Server started') && (await answers(port)))) {
      if (ended !== undefined || Date.now() > deadline) {
        await this.kill();
        throw new ServiceFault(
          `Kafka ${ended ?? `did not start within ${startMs / 1_000} s`}. Its log, ${logFile}, ends:\n${await lastLines(logFile)}`,
        );
      }
      await delay(50);
    }
  }
}

function jvm({ jars, sources }: KafkaOptions): string[] {
  return [
    '-Xms128m',
    '-Xmx384m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    `-Dlog4j2.configurationFile=${join(sources, 'log4j2.properties')}`,
    '-cp',
    join(jars, '*'),
  ];
}

/** Writes the settings and formats the storage, which does nothing where it is formatted. */
async function prepare(options: Required<KafkaOptions>): Promise<string> {
  const { directory, port, logFile } = options;
  mkdirSync(directory, { recursive: true });
  const controllerPort = await freePort();
  const settings = join(directory, 'server.properties');
  writeFileSync(
    settings,
    [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.bootstrap.servers=127.0.0.1:${controllerPort}`,
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
      'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      'controller.listener.names=CONTROLLER',
      'inter.broker.listener.name=PLAINTEXT',
      `log.dirs=${join(directory, 'log')}`,
      'offsets.topic.replication.factor=1',
      'offsets.topic.num.partitions=4',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'transaction.state.log.num.partitions=4',
      'share.coordinator.state.topic.replication.factor=1',
      'share.coordinator.state.topic.min.isr=1',
      'group.initial.rebalance.delay.ms=0',
      'auto.create.topics.enable=false',
      // A broker that was killed is let in again when its session has lapsed: 5 s instead of 12.
      'broker.session.timeout.ms=3000',
      'broker.heartbeat.interval.ms=500',
      '',
    ].join('\n'),
  );
  const clusterFile = join(directory, 'cluster-id');
  if (!existsSync(clusterFile)) {
    writeFileSync(clusterFile, clusterId());
    try {
      const format = [
        'format',
        '--standalone',
        '--ignore-formatted',
        '-t',
        readFileSync(clusterFile, 'utf8'),
        '-c',
        settings,
      ];
      await run('java', [...jvm(options), 'kafka.tools.StorageTool', ...format]);
    } catch (error) {
      throw new ServiceFault(
        `Kafka could not format ${directory}: ${error instanceof Error ? error.message : error}; see ${logFile}`,
      );
    }
  }
  return settings;
}

/** 16 random bytes in base64url, not beginning with a dash, which a command line would take for an option. */
function clusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

async function said(logFile: string, from: number): Promise<string> {
  const file = await open(logFile, 'r').catch(() => undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(Math.max(0, size - from)),
      0,
      Math.max(0, size - from),
      from,
    );
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
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

/** A broker that still runs on this folder, left behind by whoever was killed, is stopped by its pid. */
async function endLeftover(directory: string): Promise<void> {
  const file = join(directory, 'pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8'));
  const settings = join(directory, 'server.properties');
  const isOurs = () =>
    existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(settings);
  if (!isOurs()) return;
  process.kill(pid, 'SIGKILL');
  const deadline = Date.now() + 10_000;
  while (isOurs()) {
    if (Date.now() > deadline)
      throw new ServiceFault(`Kafka with pid ${pid} still runs on ${directory} and does not end`);
    await delay(50);
  }
}

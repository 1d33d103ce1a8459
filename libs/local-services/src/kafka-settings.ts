/** Writes the settings of a Kafka for one machine, which is broker and controller in one (KRaft), and formats its storage once. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { outputOf, ServiceFault } from '@strongroom/server-processes';

const run = promisify(execFile);

export interface NodeSettings {
  port: number;
  controllerPort: number;
  /** Settings of Kafka that come beside ours, or in place of them. */
  settings?: Readonly<Record<string, string>> | undefined;
}

/** @returns the path of the settings */
export function writeSettings(directory: string, { port, controllerPort, settings = {} }: NodeSettings): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'server.properties');
  const all = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(directory, 'log'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'auto.create.topics.enable': 'false',
    // A broker that was killed may register again when its session has lapsed, which takes 5 s with this setting and 12 s
    // without it.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(path, lines.join(''));
  return path;
}

/** Formats the storage unless it is formatted. @throws {ServiceFault} with what the tool said */
export async function formatStorage(
  directory: string,
  {
    java,
    jvm,
    settings,
    format: more = [],
    signal,
  }: {
    java: string;
    jvm: string[];
    settings: string;
    format?: readonly string[] | undefined;
    signal?: AbortSignal | undefined;
  },
): Promise<void> {
  if (existsSync(join(directory, 'log', 'meta.properties'))) return;
  const format = ['format', '--standalone', '--ignore-formatted', '-t', clusterId(), '-c', settings, ...more];
  try {
    await run(java, [...jvm, 'kafka.tools.StorageTool', ...format], signal ? { signal } : {});
  } catch (error) {
    const { message, stderr } = outputOf(error);
    throw new ServiceFault('did-not-start', `Kafka could not format ${directory}: ${stderr.trim() || message}`, {
      cause: error,
    });
  }
}

/** 16 random bytes in base64url. They do not begin with a dash, which a command line would take for an option. */
function clusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

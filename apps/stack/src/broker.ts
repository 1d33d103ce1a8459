/** Chooses the broker of the stack: a Kafka that was given, a Kafka of its own, or none with the reason why. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultNamespace, messageOf } from '@strongroom/contracts';
import { kafkaClient } from '@strongroom/feed';
import { findKafka, KafkaBroker } from '@strongroom/local-services';
import { createLogger, loadKafkaConfig } from '@strongroom/runtime';
import { z } from 'zod';
import { portOf } from './ports.js';
import { writeJson } from './whole-file.js';

export type BrokerChoice =
  | { kind: 'given'; brokers: string; namespace: string }
  | { kind: 'own'; brokers: string; start: (signal: AbortSignal) => Promise<KafkaBroker> }
  /** `remedy` completes the sentence `To have a Kafka, …`; undefined when nobody wants one. */
  | { kind: 'embedded'; because: string; remedy?: string };

export interface BrokerWishes {
  /** Undefined takes the first broker that is available. */
  wanted: 'kafka' | 'embedded' | undefined;
  env: NodeJS.ProcessEnv;
  /** The stack's data folder. */
  data: string;
  projectFolder: string;
  logFile: string;
  onFetch: () => void;
  onProgress: (what: string) => void;
  signal: AbortSignal;
}

const namespaces = z.record(z.string(), z.string());
const answerMs = 5_000;

/** @throws when a wanted Kafka is not available, or when the given one does not answer */
export async function chooseBroker(wishes: BrokerWishes): Promise<BrokerChoice> {
  const { wanted, env, data, projectFolder, logFile, onFetch, onProgress, signal } = wishes;
  if (wanted === 'embedded') return { kind: 'embedded', because: 'as asked by --broker embedded' };
  const given = env.KAFKA_BROKERS?.trim();
  if (given) return { kind: 'given', brokers: given, namespace: await namespaceOfGiven(wishes) };
  const sources = join(projectFolder, 'libs', 'local-services', 'kafka');
  const found = await findKafka(join(projectFolder, '.strongroom', 'kafka-libs'), sources, {
    env,
    onFetch,
    onProgress,
    signal,
  });
  signal.throwIfAborted();
  if (found.jars === undefined) {
    const remedy = `${found.remedy}; or name one that you have: KAFKA_BROKERS=host:9092 npm start`;
    if (wanted === 'kafka') {
      throw new Error(`--broker kafka: no Kafka is available: ${found.reason}. To have one, ${remedy}.`);
    }
    return { kind: 'embedded', because: `because ${found.reason}`, remedy };
  }
  const { jars } = found;
  const directory = join(data, 'kafka');
  await KafkaBroker.endLeftover(directory);
  const port = await portOf('kafka', data);
  return {
    kind: 'own',
    brokers: `127.0.0.1:${port}`,
    start: (calledOff) =>
      KafkaBroker.start({ jars, sources, directory, port, logFile, ownSession: true, signal: calledOff }),
  };
}

/**
 * The prefix of topics and groups on a Kafka that others may use too. It is the usual prefix where nobody has it, else one
 * of this stack's own, and it is the same at every start.
 */
async function namespaceOfGiven({ env, data }: BrokerWishes): Promise<string> {
  const asked = env.STRONGROOM_NAMESPACE?.trim();
  const { clusterId, topics } = await lookAt(env);
  if (asked) return asked;
  const path = join(data, 'namespaces.json');
  const known = existsSync(path) ? namespaces.parse(JSON.parse(readFileSync(path, 'utf8'))) : {};
  const before = known[clusterId];
  if (before !== undefined) return before;
  const isTaken = topics.some((topic) => topic.startsWith(`${defaultNamespace}.`));
  const namespace = isTaken ? `${defaultNamespace}-${randomBytes(4).toString('hex')}` : defaultNamespace;
  writeJson(path, { ...known, [clusterId]: namespace });
  return namespace;
}

/** As the services will reach it, with TLS and as the user that their settings name. */
async function lookAt(env: NodeJS.ProcessEnv): Promise<{ clusterId: string; topics: string[] }> {
  const silent = createLogger({ app: 'stack', level: 'silent' });
  const kafka = kafkaClient(loadKafkaConfig(env), 'strongroom-stack', silent, answerMs);
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { clusterId } = await admin.describeCluster();
    return { clusterId, topics: await admin.listTopics() };
  } catch (error) {
    const why = messageOf(error);
    throw new Error(
      `KAFKA_BROKERS=${env.KAFKA_BROKERS} does not answer: ${why}. Correct it, or unset it for a Kafka of the stack's own.`,
    );
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

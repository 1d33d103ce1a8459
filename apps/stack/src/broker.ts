/** Which broker the stack runs on: one that is there, a Kafka of its own, or none, and then why. */
import { join } from 'node:path';
import { findKafka, KafkaBroker } from '@strongroom/local-services';
import { portOf } from './ports.js';

export type BrokerChoice =
  | { kind: 'kafka'; brokers: string; own: undefined; detail: string }
  | { kind: 'kafka'; brokers: string; own: () => Promise<KafkaBroker>; detail: string }
  | { kind: 'embedded'; detail: string };

const projectFolder = join(import.meta.dirname, '..', '..', '..', '..');

/** @throws when a Kafka is insisted on and can't be had */
export async function chooseBroker(
  wanted: 'kafka' | 'embedded' | undefined,
  data: string,
  logFile: string,
): Promise<BrokerChoice> {
  if (wanted === 'embedded') return { kind: 'embedded', detail: 'embedded feed over PostgreSQL, as asked' };
  const given = process.env.KAFKA_BROKERS;
  if (given) return { kind: 'kafka', brokers: given, own: undefined, detail: `Kafka at ${given}, from KAFKA_BROKERS` };
  const sources = join(projectFolder, 'libs', 'local-services', 'kafka');
  const { jars, reason } = await findKafka(join(projectFolder, '.strongroom', 'kafka'), sources);
  if (!jars) {
    if (wanted === 'kafka') throw new Error(`--broker kafka: a Kafka can't be had: ${reason}`);
    return { kind: 'embedded', detail: `embedded feed over PostgreSQL, because ${reason}` };
  }
  const directory = join(data, 'kafka');
  await KafkaBroker.endLeftover(directory);
  const port = await portOf('kafka', data);
  const own = () => KafkaBroker.start({ jars, sources, port, directory, logFile });
  return { kind: 'kafka', brokers: `127.0.0.1:${port}`, own, detail: 'Apache Kafka 4.4' };
}

/** The feed that a test runs on: Kafka where the run has one, else the embedded feed; and a broker of a test's own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KafkaBroker } from '@strongroom/local-services';
import type { DeploymentOptions } from '../deployment.js';

export function feedForTests(): DeploymentOptions['feed'] {
  const brokers = process.env.STRONGROOM_TEST_KAFKA;
  return brokers ? { kind: 'kafka', brokers } : { kind: 'embedded' };
}

/** A broker that a test may kill. */
export class OwnKafka {
  private constructor(
    private readonly folder: string,
    private broker: KafkaBroker,
  ) {}

  static async start(): Promise<OwnKafka> {
    const jars = process.env.STRONGROOM_TEST_KAFKA_JARS;
    if (!jars) throw new Error(`this test needs a Kafka: ${process.env.STRONGROOM_TEST_KAFKA_REASON}`);
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-kafka-'));
    const sources = join(__dirname, '..', '..', 'libs', 'local-services', 'kafka');
    const options = { jars, sources, directory: join(folder, 'data'), logFile: join(folder, 'kafka.log') };
    return new OwnKafka(folder, await KafkaBroker.start(options));
  }

  get brokers(): string {
    return this.broker.address;
  }

  /** As a power cut would. */
  kill(): Promise<void> {
    return this.broker.kill();
  }

  /** On the same data and port. */
  async restart(): Promise<void> {
    this.broker = await this.broker.restart();
  }

  async stop(): Promise<void> {
    await this.broker.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The Kafka of the run, or the reason why there is none; and a Kafka for one test alone. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from '@jest/globals';
import { KafkaBroker, type KafkaOptions } from '@strongroom/local-services';
import { lacks } from './outside-parts.js';

export type KafkaForTests =
  | { brokers: string; jars: string; reason?: undefined }
  | { brokers?: undefined; reason: string };

export function kafkaForTests(): KafkaForTests {
  const { STRONGROOM_TEST_KAFKA: brokers, STRONGROOM_TEST_KAFKA_JARS: jars } = process.env;
  if (brokers && jars) return { brokers, jars };
  return { reason: process.env.STRONGROOM_TEST_KAFKA_REASON || 'the tests were not run with npm test' };
}

export function hasKafka(): boolean {
  return kafkaForTests().brokers !== undefined;
}

/** A `describe` of what only a Kafka can show. Without a Kafka it is listed as not run, with the reason. */
export function describeWithKafka(title: string, tests: (brokers: string) => void): void {
  const kafka = kafkaForTests();
  describe(title, () => {
    if (kafka.brokers !== undefined) return tests(kafka.brokers);
    lacks('kafka', kafka.reason);
    it.todo(`was NOT RUN for want of a Kafka: ${kafka.reason}`);
  });
}

/** A broker that a test may kill. */
export class OwnKafka {
  private constructor(
    private readonly folder: string,
    private broker: KafkaBroker,
  ) {}

  /** @param more what of `KafkaOptions` the test needs otherwise */
  static async start(more: Partial<KafkaOptions> = {}): Promise<OwnKafka> {
    const kafka = kafkaForTests();
    if (kafka.brokers === undefined) throw new Error(`this test needs a Kafka: ${kafka.reason}`);
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-kafka-'));
    const sources = join(__dirname, '..', '..', 'libs', 'local-services', 'kafka');
    const options = {
      jars: kafka.jars,
      sources,
      directory: join(folder, 'data'),
      logFile: join(folder, 'kafka.log'),
      ...more,
    };
    return new OwnKafka(folder, await KafkaBroker.start(options));
  }

  get brokers(): string {
    return this.broker.address;
  }

  /** Ends the broker at once, as a power cut would. */
  kill(): Promise<void> {
    return this.broker.kill();
  }

  /** Starts the broker again, on the same data and port. */
  async restart(): Promise<void> {
    this.broker = await this.broker.restart();
  }

  async stop(): Promise<void> {
    await this.broker.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}

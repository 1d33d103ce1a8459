/** The feed that a test runs on: Kafka if the run has one, else the embedded feed. */
import { kafkaForTests } from './kafka.js';

export { OwnKafka } from './kafka.js';

export type Feed = { kind: 'embedded' } | { kind: 'kafka'; brokers: string };

export function feedForTests(): Feed {
  const { brokers } = kafkaForTests();
  return brokers === undefined ? { kind: 'embedded' } : { kind: 'kafka', brokers };
}

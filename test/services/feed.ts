/** The feed that a test runs on: Kafka if the run has one, else the embedded feed. */
import type { DeploymentOptions } from '../deployment.js';
import { kafkaForTests } from './kafka.js';

export { OwnKafka } from './kafka.js';

export function feedForTests(): DeploymentOptions['feed'] {
  const { brokers } = kafkaForTests();
  return brokers === undefined ? { kind: 'embedded' } : { kind: 'kafka', brokers };
}

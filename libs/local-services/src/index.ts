/** A real Kafka as a child process, for the local stack and for the tests. */
export { KafkaBroker, type KafkaOptions } from './kafka-broker.js';
export { findKafka, type KafkaFound } from './kafka-jars.js';

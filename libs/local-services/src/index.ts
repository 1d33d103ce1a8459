/** Real servers as child processes, for the local stack and for tests. */
export { freePort } from './free-port.js';
export { KafkaBroker, type KafkaOptions } from './kafka-broker.js';
export { findKafka, type KafkaFound } from './kafka-jars.js';
export { type PostgresOptions, PostgresServer } from './postgres-server.js';
export { ServiceFault } from './service-fault.js';

/** Real servers as child processes, for the local stack and for tests. */
export { freePort, isFree } from './free-port.js';
export { KafkaBroker, type KafkaOptions } from './kafka-broker.js';
export { findKafka, type KafkaFound } from './kafka-jars.js';
export { type PostgresOptions, PostgresServer } from './postgres-server.js';
export { commandLineOf, endProcess, identityOf, pidOf } from './process-identity.js';
export { ServiceFault, type ServiceFaultCode } from './service-fault.js';

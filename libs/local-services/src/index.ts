/** Real servers as child processes, for the local stack and for tests. */
export { ChildService } from './child-service.js';
export { freePort, isFree } from './free-port.js';
export { KafkaBroker, type KafkaOptions } from './kafka-broker.js';
export { findKafka, type KafkaFound } from './kafka-jars.js';
export { type PostgresPrograms, postgresPrograms } from './postgres-binaries.js';
export { type PostgresOptions, PostgresServer } from './postgres-server.js';
export { commandLineOf, endProcess, identityOf, pidOf } from './process-identity.js';
export { ServiceFault, type ServiceFaultCode } from './service-fault.js';
export { insteadOfRoot, type SystemUser } from './unprivileged.js';

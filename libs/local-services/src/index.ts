/** Real servers as child processes, for the local stack and for the tests: a Kafka and an S3 server. */
export { findGoProgram, type GoProgramFound, type GoSource, goEnvironment, goProgramNow } from './go-program.js';
export { KafkaBroker, type KafkaOptions } from './kafka-broker.js';
export { findKafka, type KafkaFound } from './kafka-jars.js';
export { VersityGateway, type VersityOptions, versityRegion } from './versity-gateway.js';
export { versitySource } from './versity-program.js';

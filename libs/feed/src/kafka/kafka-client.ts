/** The Kafka client with our log, and with our own limits to its retries. */
import { messageOf } from '@strongroom/contracts';
import type { FeedConfig, KafkaSecurity, Logger } from '@strongroom/runtime';
import kafkajs, { Kafka, type KafkaConfig, type LogEntry, logLevel, type SASLOptions } from 'kafkajs';
import { BearerTokens } from './bearer-tokens.js';
import './costly-batches.js';
import './idle-request-queue.js';
import './leaderless-partitions.js';
import './unreadable-codecs.js';

/** What the client logs as an error though it is temporary: a group or a broker that is just starting. */
const passing = /coordinator is (not available|loading)|GroupCoordinator|is rebalancing|another concurrent operation/i;

export type KafkaPlace = Omit<Extract<FeedConfig, { kind: 'kafka' }>, 'kind'>;

export function kafkaClient(
  { brokers, security = {} }: KafkaPlace,
  clientId: string,
  log: Logger,
  requestTimeoutMs = 15_000,
): Kafka {
  return new Kafka({
    brokers,
    clientId,
    connectionTimeout: 3_000,
    authenticationTimeout: 10_000,
    requestTimeout: requestTimeoutMs,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => write(log, entry),
    ...secured(security),
  });
}

function secured({ tls, sasl }: KafkaSecurity): Pick<KafkaConfig, 'ssl' | 'sasl'> {
  return {
    ...(tls && { ssl: { ca: tls.ca, cert: tls.certificate, key: tls.key } }),
    ...(sasl && { sasl: saslOf(sasl) }),
  };
}

function saslOf(sasl: NonNullable<KafkaSecurity['sasl']>): SASLOptions {
  switch (sasl.mechanism) {
    case 'PLAIN':
      return { mechanism: 'plain', username: sasl.username, password: sasl.password };
    case 'SCRAM-SHA-256':
      return { mechanism: 'scram-sha-256', username: sasl.username, password: sasl.password };
    case 'SCRAM-SHA-512':
      return { mechanism: 'scram-sha-512', username: sasl.username, password: sasl.password };
    case 'OAUTHBEARER': {
      const tokens = new BearerTokens(sasl.token);
      return { mechanism: 'oauthbearer', oauthBearerProvider: () => shown(tokens) };
    }
  }
}

/** After any other error, kafkajs would go on asking over the connection as if it were let in. */
async function shown(tokens: BearerTokens): Promise<{ value: string }> {
  try {
    return { value: await tokens.get() };
  } catch (error) {
    throw new kafkajs.KafkaJSNonRetriableError(messageOf(error));
  }
}

function write(
  log: Logger,
  { level, namespace, log: { message, logger: _, timestamp: __, stack: ___, ...details } }: LogEntry,
): void {
  const told = `kafka ${namespace}: ${message}`;
  if (passing.test(`${message} ${String(details.error ?? '')}`)) log.debug(details, told);
  else if (level === logLevel.ERROR) log.warn(details, told);
  else log.debug(details, told);
}

/** The Kafka client with our own limits to its retries, and with our log, in which it does not say the same at each try. */
import { connect } from 'node:net';
import { messageOf } from '@strongroom/contracts';
import type { FeedConfig, KafkaSecurity, Logger } from '@strongroom/runtime';
import { isLoopbackHost } from '@strongroom/runtime/light';
import kafkajs, {
  type ISocketFactory,
  Kafka,
  type KafkaConfig,
  type LogEntry,
  logLevel,
  type SASLOptions,
} from 'kafkajs';
import { BearerTokens } from './bearer-tokens.js';
import './costly-batches.js';
import './idle-request-queue.js';
import './leaderless-partitions.js';
import './produce-request.js';
import './unreadable-codecs.js';

const keepAliveMs = 60_000;
/** What the client logs as an error though it is temporary: a group or a broker that is just starting. */
const passing = /coordinator is (not available|loading)|GroupCoordinator|is rebalancing|another concurrent operation/i;

/** The client says at each try what is wrong, in several places and words. It is told once in so long a time. */
const toldAgainMs = 60_000;
const mostRemembered = 200;
/** What comes before the reason itself. */
const aroundReason =
  /^.*(?:trying another broker from the list|Connection error|Failed to connect|authentication failed): /;

/** What to look at, where the reason says it. */
const advice: readonly (readonly [RegExp, string])[] = [
  [
    /altnames|certificate|issuer/i,
    'See KAFKA_SSL_CA, and whether KAFKA_BROKERS and the advertised listeners have the names of the certificates.',
  ],
  [/sasl|authentication|token/i, 'See KAFKA_SASL_MECHANISM, and the user, the password or the token beside it.'],
  [
    /before secure TLS|wrong version number|EPROTO/,
    'What answers there does not speak TLS: see KAFKA_SECURITY_PROTOCOL, and the port in KAFKA_BROKERS.',
  ],
];

export type KafkaPlace = Omit<Extract<FeedConfig, { kind: 'kafka' }>, 'kind'>;

export function kafkaClient(
  { brokers, security = {}, staysHere = false }: KafkaPlace,
  clientId: string,
  log: Logger,
  requestTimeoutMs = 15_000,
): Kafka {
  const toldAt = new Map<string, number>();
  return new Kafka({
    brokers,
    clientId,
    connectionTimeout: 3_000,
    authenticationTimeout: 10_000,
    requestTimeout: requestTimeoutMs,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => write(log, entry, toldAt),
    ...secured(security),
    ...(staysHere && { socketFactory: socketOfThisMachine }),
  });
}

/** Where the brokers are that were not named here, Kafka says itself. @throws {Error} where that is another machine */
const socketOfThisMachine: ISocketFactory = ({ host, port, onConnect }) => {
  if (!isLoopbackHost(host)) {
    throw new Error(
      `Kafka advertises ${host}:${port}, which would be reached over a network without TLS. Set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL, or STRONGROOM_ALLOW_PLAINTEXT to kafka`,
    );
  }
  return connect({ host, port }, onConnect).setKeepAlive(true, keepAliveMs);
};

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
  toldAt: Map<string, number>,
): void {
  const told = `kafka ${namespace}: ${message}`;
  const isPassing = passing.test(`${message} ${String(details.error ?? '')}`);
  const reason = String(details.error ?? message).replace(aroundReason, '');
  const now = performance.now();
  const isTold = now - (toldAt.get(reason) ?? Number.NEGATIVE_INFINITY) < toldAgainMs;
  if (isPassing || isTold || level !== logLevel.ERROR) {
    log.debug(details, told);
    return;
  }
  if (toldAt.size >= mostRemembered) toldAt.clear();
  toldAt.set(reason, now);
  const [, what] = advice.find(([fits]) => fits.test(`${message} ${reason}`)) ?? [];
  log.warn(details, what === undefined ? told : `${told.replace(/[.\s]*$/, '')}. ${what}`);
}

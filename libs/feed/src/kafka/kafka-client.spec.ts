import { describe, expect, it } from '@jest/globals';
import { createLogger } from '@strongroom/runtime';
import { kafkaClient } from './kafka-client.js';

/** What the client says at each try, as kafkajs 2.2.4 does. */
const wrongName =
  "Hostname/IP does not match certificate's altnames: Host: localhost. is not in the cert's altnames: DNS:kafka";
const refused =
  'Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512';
const noTls = 'Client network socket disconnected before secure TLS connection was established';

describe('the log of the Kafka client', () => {
  /** The lines of a client that says each of these so many times. */
  function linesOf(says: (logger: ReturnType<ReturnType<typeof kafkaClient>['logger']>) => void): string[] {
    const lines: string[] = [];
    const log = createLogger({ app: 'spec', level: 'info', to: { write: (line) => void lines.push(line) } });
    const logger = kafkaClient({ brokers: ['127.0.0.1:1'] }, 'spec', log).logger();
    for (let attempt = 0; attempt < 20; attempt += 1) says(logger);
    return lines.map((line) => String(JSON.parse(line).msg));
  }

  it.each([
    ['a wrong certificate', wrongName, 'KAFKA_SSL_CA'],
    ['no TLS', noTls, 'KAFKA_SECURITY_PROTOCOL'],
    ['nobody', 'connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED'],
  ])('tells of %s in one line, however often it tries, with what to look at', (_, reason, says) => {
    const lines = linesOf((logger) => {
      logger.namespace('Connection').error(`Connection error: ${reason}`, { broker: '127.0.0.1:1' });
      const list = 'Failed to connect to seed broker, trying another broker from the list';
      logger.namespace('BrokerPool').error(`${list}: Connection error: ${reason}`, { retryCount: 1 });
    });
    expect(lines).toEqual([expect.stringContaining(reason)]);
    expect(lines[0]).toContain(says);
  });

  it('tells of a wrong password in one line, and of what is wrong after that in another', () => {
    const lines = linesOf((logger) => {
      logger.namespace('Connection').error('Response SaslAuthenticate(key: 36, version: 1)', { error: refused });
      const failed = `SASL SCRAM SHA512 authentication failed: ${refused}`;
      logger.namespace('SaslAuthenticator-SCRAM-SHA-512').error(failed, {});
      logger.namespace('BrokerPool').error(failed, { retryCount: 0 });
      logger.namespace('Connection').error('Connection error: connect ECONNREFUSED 127.0.0.1:1', {});
    });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('KAFKA_SASL_MECHANISM');
    expect(lines[1]).toContain('ECONNREFUSED');
  });

  it('says nothing of what passes when a broker has just begun', () => {
    expect(linesOf((logger) => logger.namespace('Runner').error('The coordinator is loading', {}))).toEqual([]);
  });
});

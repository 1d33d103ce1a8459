/** The way to Kafka as its settings say it. Settings that do not go together are refused, each by its name. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isLoopbackHost } from './addresses.js';
import type { ConfigProblem, GivenSettings } from './settings/given-settings.js';
import * as kafka from './settings/kafka.js';
import { brokers } from './settings/ledger-and-feed.js';
import type { Setting } from './settings/setting.js';
import { allowPlaintext } from './settings/transport.js';

export interface KafkaFeed {
  kind: 'kafka';
  brokers: string[];
  security?: KafkaSecurity;
  /** Whether no connection may leave this machine: none has TLS, and nobody has allowed that. Default: any may. */
  staysHere?: boolean;
}

/** What is absent is not used. */
export interface KafkaSecurity {
  /** Each in PEM. */
  tls?: { ca?: string; certificate?: string; key?: string };
  sasl?:
    | { mechanism: Exclude<(typeof kafka.saslMechanisms)[number], 'OAUTHBEARER'>; username: string; password: string }
    | { mechanism: 'OAUTHBEARER'; token: TokenSource };
}

/** Where the token of a user comes from: from the environment, from a file that may change, or from a server of tokens. */
export type TokenSource =
  | { is: 'given'; token: string }
  | { is: 'file'; path: string }
  | { is: 'server'; url: string; client: string; secret: string; scope?: string };

const ofTls: readonly Setting<string>[] = [kafka.sslCa, kafka.sslCertificate, kafka.sslKey];
const ofUser: readonly Setting<string>[] = [kafka.saslUsername, kafka.saslPassword];
const ofToken: readonly Setting<string>[] = [kafka.saslToken, kafka.saslTokenUrl, kafka.saslScope];
const ofSasl: readonly Setting<string>[] = [kafka.saslMechanism, ...ofUser, ...ofToken];

export function problemsOfKafka(given: GivenSettings): ConfigProblem[] {
  const protocol = given.value(kafka.securityProtocol);
  const isSet = (setting: Setting<string>) => given.valueIfSet(setting) !== undefined;
  const problems: ConfigProblem[] = [];
  const because = `${kafka.securityProtocol.name} is ${protocol}`;
  const refuse = ({ name }: Setting<string>, problem: string) => problems.push({ variable: name, problem });
  for (const [settings, isUsed, instead] of [
    [ofTls, usesTls(protocol), usesSasl(protocol) ? 'SASL_SSL' : 'SSL'],
    [ofSasl, usesSasl(protocol), usesTls(protocol) ? 'SASL_SSL' : 'SASL_SSL or SASL_PLAINTEXT'],
  ] as const) {
    if (isUsed) continue;
    for (const each of settings.filter(isSet)) {
      refuse(
        each,
        `is set, and ${because}, which does not use it; set ${kafka.securityProtocol.name} to ${instead}, or leave it out`,
      );
    }
  }
  if (usesSasl(protocol)) {
    const { needed, unused, instead } = wayOfSasl(given);
    for (const each of needed.filter((setting) => !isSet(setting))) {
      refuse(each, `is not set; it must be ${each.form.says} when ${because}`);
    }
    for (const each of unused.filter(isSet)) refuse(each, `is set, and ${instead}; leave it out`);
  }
  if (usesTls(protocol)) problems.push(...problemsOfPair(given, kafka.sslCertificate, kafka.sslKey));
  else problems.push(...problemsOfPlaintext(given, protocol));
  return problems;
}

/** Which settings the mechanism needs, and which it does not use. */
function wayOfSasl(given: GivenSettings): { needed: Setting<string>[]; unused: Setting<string>[]; instead: string } {
  const mechanism = given.valueIfSet(kafka.saslMechanism);
  const instead = `${kafka.saslMechanism.name} is ${mechanism}`;
  if (mechanism !== 'OAUTHBEARER') {
    const needed = [kafka.saslMechanism, ...ofUser];
    return {
      needed,
      unused: mechanism === undefined ? [] : [...ofToken],
      instead: `${instead}, which does not use it`,
    };
  }
  if (given.valueIfSet(kafka.saslTokenUrl) === undefined) {
    const unused = [...ofUser, kafka.saslScope];
    return { needed: [kafka.saslToken], unused, instead: `${instead} without ${kafka.saslTokenUrl.name}` };
  }
  return { needed: [...ofUser], unused: [kafka.saslToken], instead: `${kafka.saslTokenUrl.name} is set, too` };
}

/** What is not encrypted stays on this machine, unless the operator says so. */
function problemsOfPlaintext(given: GivenSettings, protocol: string): ConfigProblem[] {
  if (given.valueIfSet(allowPlaintext)?.has('kafka')) return [];
  const away = (given.valueIfSet(brokers) ?? []).filter((broker) => !isLoopbackHost(broker.replace(/:\d+$/, '')));
  if (away.length === 0) return [];
  const problem = `is ${protocol}, and ${away.join(', ')} would be reached over a network without TLS; set it to ${usesSasl(protocol) ? 'SASL_SSL' : 'SSL'}, or set ${allowPlaintext.name} to kafka`;
  return [{ variable: kafka.securityProtocol.name, problem }];
}

export function kafkaFeedOf(given: GivenSettings): KafkaFeed {
  const security = kafkaSecurityOf(given);
  const mayLeave = security?.tls !== undefined || (given.valueIfSet(allowPlaintext)?.has('kafka') ?? false);
  return {
    kind: 'kafka',
    brokers: given.valueIfSet(brokers) ?? [],
    ...(security && { security }),
    ...(!mayLeave && { staysHere: true }),
  };
}

function kafkaSecurityOf(given: GivenSettings): KafkaSecurity | undefined {
  const protocol = given.value(kafka.securityProtocol);
  if (protocol === 'PLAINTEXT') return undefined;
  const ca = given.valueIfSet(kafka.sslCa);
  const certificate = given.valueIfSet(kafka.sslCertificate);
  const key = given.valueIfSet(kafka.sslKey);
  const mechanism = given.valueIfSet(kafka.saslMechanism);
  return {
    ...(usesTls(protocol) && {
      tls: {
        ...(ca !== undefined && { ca }),
        ...(certificate !== undefined && { certificate }),
        ...(key !== undefined && { key }),
      },
    }),
    ...(usesSasl(protocol) && mechanism !== undefined && { sasl: saslOf(mechanism, given) }),
  };
}

function saslOf(
  mechanism: (typeof kafka.saslMechanisms)[number],
  given: GivenSettings,
): NonNullable<KafkaSecurity['sasl']> {
  const username = given.valueIfSet(kafka.saslUsername) ?? '';
  const password = given.valueIfSet(kafka.saslPassword) ?? '';
  if (mechanism !== 'OAUTHBEARER') return { mechanism, username, password };
  const url = given.valueIfSet(kafka.saslTokenUrl);
  const scope = given.valueIfSet(kafka.saslScope);
  const path = given.fileOf(kafka.saslToken);
  if (url !== undefined) {
    const client = { client: username, secret: password, ...(scope !== undefined && { scope }) };
    return { mechanism, token: { is: 'server', url, ...client } };
  }
  if (path !== undefined) return { mechanism, token: { is: 'file', path } };
  return { mechanism, token: { is: 'given', token: given.valueIfSet(kafka.saslToken) ?? '' } };
}

/** A certificate and its key come together, and belong to each other. */
export function problemsOfPair(
  given: GivenSettings,
  ofCertificate: Setting<string>,
  ofKey: Setting<string>,
): ConfigProblem[] {
  const certificate = given.valueIfSet(ofCertificate);
  const key = given.valueIfSet(ofKey);
  if (certificate === undefined && key === undefined) return [];
  const [own, other] = [ofKey.name, ofCertificate.name];
  if (key === undefined)
    return [{ variable: own, problem: `is not set; it must be the key of ${other}, which is set` }];
  if (certificate === undefined) {
    return [{ variable: other, problem: `is not set; it must be the certificate of ${own}, which is set` }];
  }
  if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) return [];
  return [{ variable: own, problem: `is not the key of ${other}; set the two that belong together` }];
}

function usesTls(protocol: string): boolean {
  return protocol.endsWith('SSL');
}

function usesSasl(protocol: string): boolean {
  return protocol.startsWith('SASL_');
}

/** The way to Kafka as its settings say it. Settings that do not go together are refused, each by its name. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { ConfigProblem, GivenSettings } from './settings/given-settings.js';
import * as kafka from './settings/kafka.js';
import type { Setting } from './settings/setting.js';

/** What is absent is not used. */
export interface KafkaSecurity {
  /** Each in PEM. */
  tls?: { ca?: string; certificate?: string; key?: string };
  sasl?: { mechanism: (typeof kafka.saslMechanisms)[number]; username: string; password: string };
}

const ofTls: readonly Setting<string>[] = [kafka.sslCa, kafka.sslCertificate, kafka.sslKey];
const ofSasl: readonly Setting<string>[] = [kafka.saslMechanism, kafka.saslUsername, kafka.saslPassword];

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
    for (const each of ofSasl.filter((setting) => !isSet(setting))) {
      refuse(each, `is not set; it must be ${each.form.says} when ${because}`);
    }
  }
  if (usesTls(protocol)) problems.push(...problemsOfPair(given));
  return problems;
}

export function kafkaSecurityOf(given: GivenSettings): KafkaSecurity | undefined {
  const protocol = given.value(kafka.securityProtocol);
  if (protocol === 'PLAINTEXT') return undefined;
  const ca = given.valueIfSet(kafka.sslCa);
  const certificate = given.valueIfSet(kafka.sslCertificate);
  const key = given.valueIfSet(kafka.sslKey);
  const mechanism = given.valueIfSet(kafka.saslMechanism);
  const username = given.valueIfSet(kafka.saslUsername) ?? '';
  const password = given.valueIfSet(kafka.saslPassword) ?? '';
  return {
    ...(usesTls(protocol) && {
      tls: {
        ...(ca !== undefined && { ca }),
        ...(certificate !== undefined && { certificate }),
        ...(key !== undefined && { key }),
      },
    }),
    ...(usesSasl(protocol) && mechanism !== undefined && { sasl: { mechanism, username, password } }),
  };
}

/** Our own certificate and its key come together, and belong to each other. */
function problemsOfPair(given: GivenSettings): ConfigProblem[] {
  const certificate = given.valueIfSet(kafka.sslCertificate);
  const key = given.valueIfSet(kafka.sslKey);
  if (certificate === undefined && key === undefined) return [];
  const [own, other] = [kafka.sslKey.name, kafka.sslCertificate.name];
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

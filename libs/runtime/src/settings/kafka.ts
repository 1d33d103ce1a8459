/** How the services connect to Kafka: with or without TLS, and as which user. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { oneOf, text } from './forms.js';
import { appNames, type Setting } from './setting.js';

export const securityProtocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const;
export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

export const securityProtocol = {
  name: 'KAFKA_SECURITY_PROTOCOL',
  meaning:
    "Kafka's own name for the way of its listener: `SSL` is TLS, and `SASL_…` has a user and a password. With `SASL_PLAINTEXT` nothing is encrypted.",
  form: oneOf(securityProtocols),
  usedBy: appNames,
  default: 'PLAINTEXT',
} satisfies Setting<(typeof securityProtocols)[number]>;

export const sslCa = {
  name: 'KAFKA_SSL_CA',
  meaning:
    "The certificates of the authorities that may have signed the brokers' certificates, in PEM. Without it those that Node trusts count.",
  form: text('one or several certificates in PEM', areCertificates),
  usedBy: appNames,
  // Somebody may give the file of a key by mistake.
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<string>;

export const sslCertificate = {
  name: 'KAFKA_SSL_CERTIFICATE',
  meaning: 'Our own certificate in PEM, where the brokers ask for one. Those of its authorities may follow it.',
  form: text('one or several certificates in PEM', areCertificates),
  usedBy: appNames,
  // Somebody may give the file of a key by mistake.
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<string>;

export const sslKey = {
  name: 'KAFKA_SSL_KEY',
  meaning: 'The private key of our own certificate in PEM, without a passphrase.',
  form: text('a private key in PEM, without a passphrase', isPrivateKey),
  usedBy: appNames,
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<string>;

export const saslMechanism = {
  name: 'KAFKA_SASL_MECHANISM',
  meaning: 'How the user proves the password. `PLAIN` sends it as it is, so it wants TLS.',
  form: oneOf(saslMechanisms),
  usedBy: appNames,
} satisfies Setting<(typeof saslMechanisms)[number]>;

export const saslUsername = {
  name: 'KAFKA_SASL_USERNAME',
  meaning: 'The user as whom the services connect.',
  form: text('the name of a user'),
  usedBy: appNames,
} satisfies Setting<string>;

export const saslPassword = {
  name: 'KAFKA_SASL_PASSWORD',
  meaning: 'The password of that user.',
  form: text("the user's password"),
  usedBy: appNames,
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<string>;

function areCertificates(pem: string): boolean {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return found.length > 0 && found.every((each) => isRead(() => new X509Certificate(each)));
}

function isPrivateKey(pem: string): boolean {
  return isRead(() => createPrivateKey(pem));
}

function isRead(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

/** How the services connect to Kafka: with or without TLS, and as which user. */
import { isLoopbackHost } from '../addresses.js';
import { oneOf, text } from './forms.js';
import { appNames, type Setting } from './setting.js';
import { areCertificates, isPrivateKey } from './transport.js';

export const securityProtocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const;
export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;

export const securityProtocol = {
  name: 'KAFKA_SECURITY_PROTOCOL',
  meaning:
    "Kafka's own name for the way of its listener: `SSL` is TLS, and `SASL_…` has a user and a password. With `PLAINTEXT` and `SASL_PLAINTEXT` nothing is encrypted, so every broker must then be on the loopback interface, unless `STRONGROOM_ALLOW_PLAINTEXT` has `kafka`.",
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
  meaning: 'The user as whom the services connect. With `KAFKA_SASL_TOKEN_URL`, the id of the client.',
  form: text('the name of a user'),
  usedBy: appNames,
} satisfies Setting<string>;

export const saslPassword = {
  name: 'KAFKA_SASL_PASSWORD',
  meaning: 'The password of that user. With `KAFKA_SASL_TOKEN_URL`, the secret of the client.',
  form: text("the user's password"),
  usedBy: appNames,
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<string>;

export const saslToken = {
  name: 'KAFKA_SASL_TOKEN',
  meaning:
    'The token of `OAUTHBEARER`. Give it as a file: tokens expire, and the file is read again for each connection.',
  form: text('a token without spaces', (token) => /^[\x21-\x7e]+$/.test(token)),
  usedBy: appNames,
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<string>;

export const saslTokenUrl = {
  name: 'KAFKA_SASL_TOKEN_URL',
  meaning:
    'Where `OAUTHBEARER` gets a token for the client of `KAFKA_SASL_USERNAME` (`client_credentials` of OAuth 2.0). `http:` is taken on the loopback interface only.',
  form: text('like https://id.example.com/oauth2/token', isTokenUrl),
  usedBy: appNames,
} satisfies Setting<string>;

export const saslScope = {
  name: 'KAFKA_SASL_SCOPE',
  meaning: 'The scope that is asked for with such a token.',
  form: text('words with spaces between them'),
  usedBy: appNames,
} satisfies Setting<string>;

function isTokenUrl(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.username !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname));
}

/** How connections are kept from strangers: those to customers' servers, our own to the database and the broker, and those of clients. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { tlsModes } from '@strongroom/contracts';
import { isOfOneKind, Networks, networkIn } from '../addresses.js';
import { mustBe, oneOf, parsedText, text } from './forms.js';
import { type AppName, appNames, type Setting } from './setting.js';

export type TlsMode = (typeof tlsModes)[number];

/** How many log-ins may fail within a time. */
export interface FailedLogins {
  most: number;
  withinMs: number;
}

const plainConnections = ['database', 'heartbeat', 'kafka', 'keystone', 'syslog', 'traces', 'vaults'] as const;
export type PlainConnection = (typeof plainConnections)[number];

const usedBy: readonly AppName[] = ['api', 'scheduler'];
const networksForm =
  'networks with commas between them, like 10.1.0.0/16,fd12::/16, each within a private, loopback or link-local one';
const loginsForm = 'a number of log-ins and of seconds, like 20/900';
const plainForm = `${plainConnections.join(' or ')}, or several with commas between them`;

export const customerNetworks = {
  name: 'STRONGROOM_CUSTOMER_NETWORKS',
  meaning:
    'Where customers’ servers may be, besides public addresses. Without it, no instance leads to a private, loopback or link-local address. An instance never leads to a service of the deployment that the settings of this process name, to a cloud’s service for its machines, or to an address of nobody.',
  form: parsedText(networksForm, networksIn),
  usedBy,
} satisfies Setting<Networks>;

export const minTls = {
  name: 'STRONGROOM_MIN_TLS',
  meaning:
    'The least `tls` of a connection to a customer’s server. Without it, it is `require`, and `disable` on the loopback interface. `disable` lets backups and logins pass through networks in clear.',
  form: oneOf(tlsModes),
  usedBy,
} satisfies Setting<TlsMode>;

export const failedLogins = {
  name: 'STRONGROOM_FAILED_LOGINS',
  meaning:
    'How many log-ins may fail at one address and port within so many seconds, over all accounts. An account may have half of them, and always one. Then nobody else tries there who was not let in before. With 0 for the number, nobody tries there at all who was not let in before.',
  form: parsedText(loginsForm, loginsIn),
  usedBy,
  default: '20/900',
} satisfies Setting<FailedLogins>;

export const allowPlaintext = {
  name: 'STRONGROOM_ALLOW_PLAINTEXT',
  meaning:
    'Which connections of the services themselves may leave this machine without TLS that is verified. Without it, none may: `STRONGROOM_DATABASE_URL` needs `sslmode=verify-full`, `KAFKA_SECURITY_PROTOCOL` is `SSL` or `SASL_SSL`, `STRONGROOM_KEYSTONE_URL` is `https`, `STRONGROOM_AUDIT_SYSLOG` is none, `STRONGROOM_HEARTBEAT_URL` and `OTEL_EXPORTER_OTLP_ENDPOINT` are `https`, and each `endpoint` of `STRONGROOM_VAULTS` is `https`, unless the host is a loopback one.',
  form: parsedText(plainForm, plainIn),
  usedBy: appNames,
} satisfies Setting<ReadonlySet<PlainConnection>>;

export const tlsCertificate = {
  name: 'STRONGROOM_TLS_CERT',
  meaning:
    'The certificate of the API in PEM, with those of its authorities behind it. With it, the API serves HTTPS and no HTTP. A changed file is read again within seconds.',
  form: text('one or several certificates in PEM', areCertificates),
  usedBy: ['api'],
  // Somebody may give the file of a key by mistake.
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<string>;

export const tlsKey = {
  name: 'STRONGROOM_TLS_KEY',
  meaning: 'The private key of that certificate in PEM, without a passphrase.',
  form: text('a private key in PEM, without a passphrase', isPrivateKey),
  usedBy: ['api'],
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<string>;

export function areCertificates(pem: string): boolean {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return found.length > 0 && found.every((each) => isRead(() => new X509Certificate(each)));
}

export function isPrivateKey(pem: string): boolean {
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

function networksIn(value: string): Networks | string {
  const found = value.split(',').map((each) => networkIn(each.trim()));
  const right = found.flatMap((network) => (network && isOfOneKind(network) ? [network] : []));
  return right.length === found.length ? new Networks(right) : mustBe(networksForm);
}

function loginsIn(value: string): FailedLogins | string {
  const [, most = '', seconds = ''] = /^(\d{1,6})\/(\d{1,7})$/.exec(value.trim()) ?? [];
  return Number(seconds) > 0 ? { most: Number(most), withinMs: Number(seconds) * 1_000 } : mustBe(loginsForm);
}

function plainIn(value: string): ReadonlySet<PlainConnection> | string {
  const found = value.split(',').map((each) => each.trim());
  const known = plainConnections.filter((each) => found.includes(each));
  return known.length === new Set(found).size ? new Set(known) : mustBe(plainForm);
}

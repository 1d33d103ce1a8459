/**
 * Puts together the connection and the credential that an instance is to have, from what it has and what was asked. Every
 * certificate is looked at here, so that what cannot work is refused before a server is asked.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { type ConnectionChange, type Endpoint, messageOf } from '@strongroom/contracts';
import type { Credential } from '@strongroom/credentials';
import { HttpFault } from '../edge/http-fault.js';

/** A connection, with the credential that belongs to it. */
export interface Connection {
  endpoint: Endpoint;
  credential: Credential;
}

type Fields = Pick<ConnectionChange, 'ca_certificate' | 'client_certificate' | 'client_key'>;

/** @throws {HttpFault} badRequest naming the field that can't be right */
export function connectionWith(current: Connection, asked: ConnectionChange): Connection {
  const { endpoint, credential } = current;
  const { host = endpoint.host, port = endpoint.port, user = endpoint.user, database = endpoint.database } = asked;
  const { tls = endpoint.tls, ca_certificate, client_certificate, client_key, password = credential.password } = asked;
  // Without a certificate the key means nothing, so it is not kept either.
  const isDropped = client_certificate === '';
  const connection = {
    endpoint: {
      ...endpoint,
      ...{ host, port, user, database, tls },
      ...(ca_certificate !== undefined && { caCertificate: ca_certificate || null }),
      ...(client_certificate !== undefined && { clientCertificate: client_certificate || null }),
    },
    credential: {
      password,
      clientKey: (isDropped ? undefined : (client_key ?? credential.clientKey)) || undefined,
    },
  };
  check(connection, asked);
  return connection;
}

/** Of a new instance that names no mode of TLS. */
export const usualTls: Endpoint['tls'] = 'verify-full';

export function isSameCredential(one: Credential, other: Credential): boolean {
  return one.password === other.password && one.clientKey === other.clientKey;
}

const soonMs = 30 * 86_400_000;

/** What is to be done about certificates that have ended, or end within a month. */
export function warningsOfCertificates({ caCertificate, clientCertificate }: Endpoint, now: Date): string[] {
  const told = (what: string, pem: string | null | undefined) =>
    (pem ? (certificatesIn(pem) ?? []) : []).flatMap(({ validTo, subject }) => {
      const until = new Date(validTo);
      if (until.getTime() > now.getTime() + soonMs) return [];
      const ends = until.getTime() > now.getTime() ? 'ends' : 'has ended';
      const named = subject ? ` ${JSON.stringify(subject.replaceAll('\n', ', '))}` : '';
      return [`The ${what}${named} ${ends} at ${until.toISOString()}: give the instance a new one.`];
    });
  return [...told('CA certificate', caCertificate), ...told('client certificate', clientCertificate)];
}

function check({ endpoint, credential }: Connection, asked: Fields): void {
  const { tls, caCertificate, clientCertificate } = endpoint;
  if (caCertificate) {
    if (!certificatesIn(caCertificate)) throw wrong('ca_certificate', 'must be one certificate or more, as PEM');
    if (tls === 'disable' || tls === 'require') {
      throw wrong('ca_certificate', `is checked with tls "verify-ca" or "verify-full" alone, and tls is "${tls}"`);
    }
  }
  if (!clientCertificate) {
    if (asked.client_key) throw wrong('client_key', 'needs its client_certificate');
    return;
  }
  const [certificate] = certificatesIn(clientCertificate) ?? [];
  if (!certificate) throw wrong('client_certificate', 'must be one certificate or more, as PEM');
  if (tls === 'disable') throw wrong('client_certificate', 'needs TLS, and tls is "disable"');
  if (credential.clientKey === undefined) throw wrong('client_certificate', 'needs its client_key');
  const key = keyIn(credential.clientKey);
  if (!key) throw wrong('client_key', 'must be a private key as PEM, without a passphrase');
  if (!certificate.checkPrivateKey(key)) {
    throw wrong(asked.client_key ? 'client_key' : 'client_certificate', 'the key is not that of the certificate');
  }
  const why = whyNotOfTls(clientCertificate, credential.clientKey);
  if (why !== undefined) throw wrong('client_certificate', `TLS does not take it here: ${why}`);
}

/** Why no connection can be made with the certificate, such as a key that is too short; undefined when one can. */
function whyNotOfTls(cert: string, key: string): string | undefined {
  try {
    createSecureContext({ cert, key });
    return undefined;
  } catch (error) {
    return messageOf(error).split(':').at(-1);
  }
}

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Undefined when the text has none, or anything in it that is not one. Text between them is left alone, as tools write it. Node reads a
 * certificate whose end is no time; it can never be valid.
 */
function certificatesIn(pem: string): X509Certificate[] | undefined {
  const blocks = pem.match(block) ?? [];
  if (blocks.length === 0 || /-----BEGIN/.test(pem.replaceAll(block, ''))) return undefined;
  try {
    const certificates = blocks.map((each) => new X509Certificate(each));
    return certificates.some(({ validTo }) => Number.isNaN(Date.parse(validTo))) ? undefined : certificates;
  } catch {
    return undefined;
  }
}

/** The reason is left out, because it could quote the key. */
function keyIn(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

function wrong(field: keyof Fields, why: string): HttpFault {
  return new HttpFault('badRequest', `instance.connection.${field}: ${why}.`);
}

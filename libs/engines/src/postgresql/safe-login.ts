/**
 * To whom a password is shown, and how. Over a connection whose server has not proved by a certificate who it is, nothing is sent that a
 * stranger could use: only SCRAM proves the password without showing it, and over TLS it is bound to the certificate, so that nobody
 * can stand in between.
 */
import type { Endpoint } from '@strongroom/contracts';
import { EngineFault } from '../engine-fault.js';

/** What a server has asked for. */
export type AskedFor = { is: 'cleartext' | 'md5' } | { is: 'sasl'; mechanisms: readonly string[] };

const bound = 'SCRAM-SHA-256-PLUS';

/** Whether the server proves with its certificate that it is the one that was meant. */
export function isVerified({ tls, caCertificate }: Endpoint): boolean {
  // Everybody has a certificate of a public authority, for some name.
  return tls === 'verify-full' || (tls === 'verify-ca' && Boolean(caCertificate));
}

/** @throws {EngineFault} `server-not-trusted` when the password would be shown to a stranger */
export function mustBeSafe(endpoint: Endpoint, asked: AskedFor): void {
  if (isVerified(endpoint)) return;
  const { tls } = endpoint;
  if (asked.is !== 'sasl') {
    const what = asked.is === 'cleartext' ? 'the password in clear' : 'an MD5 of the password';
    throw refused(
      `The server asks for ${what}, and with tls "${tls}" nobody knows whether it is the right one. ${verify(tls)} Or let the server ask by SCRAM: set password_encryption to scram-sha-256, set the password of the role again, and give its line in pg_hba.conf the method scram-sha-256.`,
    );
  }
  if (tls === 'disable' || asked.mechanisms.includes(bound)) return;
  throw refused(
    `The server asks for the password without binding it to its certificate (${bound}), and with tls "${tls}" nobody knows whether it is the right one: somebody may stand between. ${verify(tls)}`,
  );
}

function verify(tls: Endpoint['tls']): string {
  const instead =
    tls === 'verify-ca' ? 'or the ca_certificate of its authority' : 'with the ca_certificate of its authority';
  return `Give the instance tls "verify-full", ${instead}.`;
}

function refused(why: string): EngineFault {
  return new EngineFault('server-not-trusted', `The password was not sent. ${why}`);
}

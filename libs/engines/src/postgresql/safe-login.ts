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

/** The least of RFC 7677, and what PostgreSQL has by default. */
const leastIterations = 4_096;
/** So many take a thread of ours for about a third of a second. */
export const mostIterations = 1_000_000;

/**
 * What a login by SCRAM shows is worth as many guesses of the password as it has iterations, and the server names their number.
 * @param said what the server says first, as RFC 5802 has it
 * @throws {EngineFault} `server-not-trusted` when a stranger could guess too easily; `backup-not-permitted` when it is too much work
 */
export function mustBeWorth(endpoint: Endpoint, said: string): void {
  // Of several, `pg` takes the last one. What is no number it refuses by itself.
  const asked = said.split(',').filter((each) => each.startsWith('i='));
  const iterations = Number(asked.at(-1)?.slice(2));
  if (iterations > mostIterations) {
    throw new EngineFault(
      'backup-not-permitted',
      `The server asks for ${iterations} iterations of SCRAM, and at most ${mostIterations} are made. Lower its scram_iterations, and set the password of the role again.`,
    );
  }
  if (!(iterations < leastIterations) || isVerified(endpoint)) return;
  throw refused(
    `The server asks for ${iterations} iterations of SCRAM, and with tls "${endpoint.tls}" nobody knows whether it is the right one: the password would be easy to guess from the answer. ${verify(endpoint.tls)} Or set scram_iterations of the server to ${leastIterations} or more, and set the password of the role again.`,
  );
}

/** A server that has asked by SCRAM and lets somebody in without its own proof. */
export function unproven(): EngineFault {
  return new EngineFault(
    'server-not-trusted',
    'What answers there asks for the password, and then does not prove that it knows it: it may not be the server.',
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

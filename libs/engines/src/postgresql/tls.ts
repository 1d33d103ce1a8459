/**
 * The TLS of connections to a customer's server. `require` encrypts and checks nothing, `verify-ca` checks who has signed the
 * server's certificate, and `verify-full` also that it was made for the host that was asked for.
 */
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import type { EngineTarget } from '../engine.js';

/** What `pg` takes as `ssl`. @param host as it is dialled, without brackets */
export function tlsOf({ endpoint, clientKey }: EngineTarget, host: string): false | ConnectionOptions {
  const { tls, caCertificate, clientCertificate } = endpoint;
  if (tls === 'disable') return false;
  return {
    rejectUnauthorized: tls !== 'require',
    ...(caCertificate && { ca: caCertificate }),
    ...(clientCertificate && { cert: clientCertificate, key: clientKey }),
    // By the host of the instance, whatever name the connection has for Node.
    ...(tls === 'verify-full' && { checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate) }),
    ...(tls === 'verify-ca' && { checkServerIdentity: () => undefined }),
  };
}

/**
 * Node.js may run with algorithms of FIPS 140 alone: by `--enable-fips`, `--force-fips`, or the configuration of its OpenSSL. None of those
 * of age is among them. What needs them says so before OpenSSL does, whose words name no key and no way on.
 */
import { getFips } from 'node:crypto';
import { EncryptionFault } from './encryption-fault.js';

/** @param what as the subject of a sentence @throws {EncryptionFault} `algorithm-not-allowed` */
export function mustAllowAge(what: string): void {
  if (getFips() === 0) return;
  throw new EncryptionFault(
    'algorithm-not-allowed',
    `${what} is of no use here: age is made of X25519 and ChaCha20-Poly1305, and this Node.js runs with algorithms of FIPS 140 alone. Run this by a Node.js without --enable-fips.`,
  );
}

/** What is derived from a key: HKDF with SHA-256, as the formats of age and Tink have it. Source: RFC 5869. */
import { hkdfSync } from 'node:crypto';

const derivedBytes = 32;

/** @param info what the derived key is for. Not more than 1,024 bytes */
export function derived(key: Uint8Array, salt: Uint8Array, info: string | Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, derivedBytes));
}

/**
 * The payload of age's format: a nonce, then chunks of 64 KiB under ChaCha20-Poly1305. It has no place for associated data: there the
 * header of the keys binds the payload. Source: age-encryption.org/v1 (C2SP), "Payload".
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { derived } from './derived-key.js';
import { mustAllowAge } from './fips.js';
import { type PayloadFormat, tagBytes } from './payload-format.js';

const saltBytes = 16;

export const agePayload: PayloadFormat = {
  fileKeyBytes: 16,
  headBytes: saltBytes,
  firstChunkBytes: 65_536,
  chunkBytes: 65_536,
  // The number has 88 bits, and no payload has 2^48 chunks.
  counterBytes: 6,
  cipher: (key, nonce) => createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: tagBytes }),
  decipher: (key, nonce) => createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: tagBytes }),
  newHead: () => randomBytes(saltBytes),
  opened(fileKey, salt) {
    mustAllowAge('A backup in the format of age');
    return { key: derived(fileKey, salt, 'payload'), noncePrefix: Buffer.alloc(5) };
  },
};

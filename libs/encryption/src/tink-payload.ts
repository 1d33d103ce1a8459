/**
 * The payload of Tink's Streaming AEAD with keys of the template AES256_GCM_HKDF_1MB: a head with a salt and the beginning of each nonce,
 * then chunks of AES-256-GCM, each of which is 1 MiB with what proves it, the first one with the head as well. The key of a payload is
 * derived by HKDF-SHA-256 from the file key, the salt and the associated data, so it opens at no other place.
 * Source: developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { derived } from './derived-key.js';
import { altered } from './encryption-fault.js';
import { type PayloadFormat, tagBytes } from './payload-format.js';

const saltBytes = 32;
const prefixBytes = 7;
const headBytes = 1 + saltBytes + prefixBytes;
const encryptedChunkBytes = 1_048_576;

export const tinkPayload: PayloadFormat = {
  fileKeyBytes: 32,
  headBytes,
  firstChunkBytes: encryptedChunkBytes - headBytes - tagBytes,
  chunkBytes: encryptedChunkBytes - tagBytes,
  counterBytes: 4,
  cipher: (key, nonce) => createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }),
  decipher: (key, nonce) => createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }),
  newHead: () => Buffer.concat([Buffer.from([headBytes]), randomBytes(saltBytes + prefixBytes)]),
  opened(fileKey, head, associatedData) {
    if (head[0] !== headBytes) throw altered('its head is not as long as it should be');
    const salt = head.subarray(1, 1 + saltBytes);
    return { key: derived(fileKey, salt, associatedData), noncePrefix: head.subarray(1 + saltBytes) };
  },
};

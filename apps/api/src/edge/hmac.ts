/** HMAC-SHA-256 (RFC 2104) over short texts, by single calls: an object for each digest costs several times as much as the digest. */
import { hash } from 'node:crypto';

const blockBytes = 64;
const digestBytes = 32;

/**
 * @param key of at most 64 bytes
 * @returns gives the digest of a text, in hexadecimal
 */
export function hmacSha256(key: Buffer): (text: string) => string {
  if (key.length > blockBytes) throw new RangeError(`a key of ${key.length} bytes is longer than a block`);
  const padded = (byte: number) => Buffer.alloc(blockBytes).map((_, index) => (key[index] ?? 0) ^ byte);
  const inner = padded(0x36);
  const outer = Buffer.concat([padded(0x5c), Buffer.alloc(digestBytes)]);
  return (text) => {
    const within = hash('sha256', Buffer.concat([inner, Buffer.from(text)]), 'buffer');
    outer.set(within, blockBytes);
    return hash('sha256', outer, 'hex');
  };
}

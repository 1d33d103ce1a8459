/** HMAC-SHA-256 (RFC 2104) over short texts, by single calls: an object for each digest costs several times as much as the digest. */
import { hash } from 'node:crypto';

const blockBytes = 64;

/** @param key of at most 64 bytes */
export function hmacSha256(key: Buffer): (text: string) => Buffer {
  if (key.length > blockBytes) throw new RangeError(`a key of ${key.length} bytes is longer than a block`);
  const padded = (byte: number) => Buffer.alloc(blockBytes).map((_, index) => (key[index] ?? 0) ^ byte);
  const [inner, outer] = [padded(0x36), padded(0x5c)];
  return (text) => {
    const within = hash('sha256', Buffer.concat([inner, Buffer.from(text)]), 'buffer');
    return hash('sha256', Buffer.concat([outer, within]), 'buffer');
  };
}

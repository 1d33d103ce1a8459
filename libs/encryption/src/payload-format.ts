/**
 * What one format of payloads says: how long its parts are, which cipher it takes, and where the key of a payload comes from. Both formats
 * are a STREAM: a head, then chunks that are encrypted and proven one by one. The nonce of a chunk has its number, and says by its last
 * byte whether it is the last one. So a payload that was cut short, or whose chunks were exchanged, is found.
 * Source: Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance, 2015.
 */

export interface PayloadFormat {
  /** The length of the key from which those of the payloads are derived. */
  readonly fileKeyBytes: number;
  readonly headBytes: number;
  /** How many bytes of content the first chunk has, unless it is the last one; and each chunk behind it. */
  readonly firstChunkBytes: number;
  readonly chunkBytes: number;
  /** How long the number of a chunk is in its nonce, before the last byte. */
  readonly counterBytes: number;
  /** @param nonce of the chunk: `nonceBytes` long */
  cipher(key: Buffer, nonce: Buffer): ChunkCipher;
  decipher(key: Buffer, nonce: Buffer): ChunkDecipher;
  newHead(): Buffer;
  /**
   * @param associatedData what the payload is bound to, where the format has a place for that
   * @throws {EncryptionFault} `ciphertext-altered`, when it can be no head
   */
  opened(fileKey: Buffer, head: Buffer, associatedData: Buffer): OpenedHead;
}

export interface OpenedHead {
  key: Buffer;
  /** What each nonce begins with, before the number of its chunk. */
  noncePrefix: Buffer;
}

/** What of Node's ciphers a chunk needs. */
export interface ChunkCipher {
  update(content: Buffer): Buffer;
  final(): Buffer;
  getAuthTag(): Buffer;
}

export interface ChunkDecipher {
  setAuthTag(tag: Buffer): unknown;
  update(bytes: Buffer): Buffer;
  /** @throws when the chunk is not what the tag proves */
  final(): Buffer;
}

export const tagBytes = 16;
export const nonceBytes = 12;

/** How many bytes a payload of so many bytes of content has. */
export function payloadBytes(format: PayloadFormat, contentBytes: number): number {
  const behindFirst = Math.max(0, contentBytes - format.firstChunkBytes);
  return format.headBytes + contentBytes + tagBytes * (1 + Math.ceil(behindFirst / format.chunkBytes));
}

/** How many bytes of content fit into a payload of so many bytes; 0 when none do. */
export function contentBytesIn({ headBytes, firstChunkBytes, chunkBytes }: PayloadFormat, bytes: number): number {
  const behindFirst = bytes - headBytes - firstChunkBytes - tagBytes;
  if (behindFirst <= 0) return Math.max(0, bytes - headBytes - tagBytes);
  const whole = Math.floor(behindFirst / (chunkBytes + tagBytes));
  const rest = behindFirst - whole * (chunkBytes + tagBytes);
  return firstChunkBytes + whole * chunkBytes + Math.max(0, rest - tagBytes);
}

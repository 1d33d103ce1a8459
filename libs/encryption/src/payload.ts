/**
 * The payload of age's format: a nonce, then chunks of 64 KiB, each encrypted and proven by ChaCha20-Poly1305. The last chunk is marked,
 * so a payload that was cut short is found. Memory use does not grow with its size.
 * Source: age-encryption.org/v1 (C2SP), "Payload"; Hoang, Reyhanitabar, Rogaway, Vizár: STREAM.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { altered } from './encryption-fault.js';
import { derived } from './file-key.js';

const nonceBytes = 16;
const chunkBytes = 65_536;
const tagBytes = 16;
const label = 'payload';
const algorithm = 'chacha20-poly1305';

/** How many bytes a payload of so many bytes of content has. */
export function payloadBytes(contentBytes: number): number {
  return nonceBytes + contentBytes + tagBytes * Math.max(1, Math.ceil(contentBytes / chunkBytes));
}

/** How many bytes of content fit into a payload of so many bytes; 0 when none do. */
export function contentBytesIn(bytes: number): number {
  const room = bytes - nonceBytes;
  const whole = Math.floor(room / (chunkBytes + tagBytes));
  const rest = room - whole * (chunkBytes + tagBytes);
  return Math.max(0, whole * chunkBytes + Math.max(0, rest - tagBytes));
}

/** Numbers the chunks. The last byte is 1 for the last chunk. */
class ChunkNonce {
  private readonly bytes = Buffer.alloc(12);
  private counted = 0;

  next(isLast: boolean): Buffer {
    // The counter has 88 bits, and no payload has 2^48 chunks.
    this.bytes.writeUIntBE(this.counted, 5, 6);
    this.bytes[11] = isLast ? 1 : 0;
    this.counted += 1;
    return this.bytes;
  }
}

/** Encrypts one payload. The chunks that are given belong to the caller again when a call returns. */
export class PayloadWriter {
  private readonly key: Buffer;
  private readonly nonce = new ChunkNonce();
  private readonly held = Buffer.allocUnsafe(chunkBytes);
  private heldBytes = 0;
  private first: Buffer[];

  constructor(fileKey: Buffer, salt: Buffer = randomBytes(nonceBytes)) {
    this.key = derived(fileKey, salt, label);
    this.first = [salt];
  }

  /** The last 64 KiB stay here, since only the end tells which chunk is the last one. */
  update(content: Buffer): Buffer[] {
    const out = this.first;
    this.first = [];
    let at = 0;
    while (this.heldBytes + content.length - at > chunkBytes) {
      if (this.heldBytes === 0) {
        this.encrypt(content.subarray(at, at + chunkBytes), false, out);
        at += chunkBytes;
      } else {
        at += content.copy(this.held, this.heldBytes, at, at + chunkBytes - this.heldBytes);
        this.encrypt(this.held, false, out);
        this.heldBytes = 0;
      }
    }
    this.heldBytes += content.copy(this.held, this.heldBytes, at);
    return out;
  }

  end(): Buffer[] {
    const out = this.first;
    this.encrypt(this.held.subarray(0, this.heldBytes), true, out);
    return out;
  }

  private encrypt(chunk: Buffer, isLast: boolean, out: Buffer[]): void {
    const cipher = createCipheriv(algorithm, this.key, this.nonce.next(isLast), { authTagLength: tagBytes });
    out.push(cipher.update(chunk));
    cipher.final();
    out.push(cipher.getAuthTag());
  }
}

/** Decrypts one payload. What it gives was proven before. */
export class PayloadReader {
  private key: Buffer | undefined;
  private readonly nonce = new ChunkNonce();
  private readonly held = Buffer.allocUnsafe(chunkBytes + tagBytes);
  private heldBytes = 0;
  private chunks = 0;

  constructor(private readonly fileKey: Buffer) {}

  /** @throws {EncryptionFault} `ciphertext-altered` */
  update(bytes: Buffer): Buffer[] {
    const out: Buffer[] = [];
    let at = 0;
    if (!this.key) {
      at = bytes.copy(this.held, this.heldBytes, 0, nonceBytes - this.heldBytes);
      this.heldBytes += at;
      if (this.heldBytes < nonceBytes) return out;
      this.key = derived(this.fileKey, this.held.subarray(0, nonceBytes), label);
      this.heldBytes = 0;
    }
    const whole = chunkBytes + tagBytes;
    while (this.heldBytes + bytes.length - at > whole) {
      if (this.heldBytes === 0) {
        out.push(this.decrypted(this.key, bytes.subarray(at, at + whole), false));
        at += whole;
      } else {
        at += bytes.copy(this.held, this.heldBytes, at, at + whole - this.heldBytes);
        out.push(this.decrypted(this.key, this.held, false));
        this.heldBytes = 0;
      }
    }
    this.heldBytes += bytes.copy(this.held, this.heldBytes, at);
    return out;
  }

  /** @throws {EncryptionFault} `ciphertext-altered`, also when the payload was cut short */
  end(): Buffer {
    if (!this.key) throw altered('it ends within its nonce');
    const content = this.decrypted(this.key, this.held.subarray(0, this.heldBytes), true);
    if (content.length === 0 && this.chunks > 1) throw altered('it ends with a chunk of nothing');
    return content;
  }

  private decrypted(key: Buffer, chunk: Buffer, isLast: boolean): Buffer {
    this.chunks += 1;
    if (chunk.length < tagBytes) throw altered('it ends within a chunk');
    const cipher = createDecipheriv(algorithm, key, this.nonce.next(isLast), { authTagLength: tagBytes });
    cipher.setAuthTag(chunk.subarray(chunk.length - tagBytes));
    const content = cipher.update(chunk.subarray(0, chunk.length - tagBytes));
    try {
      cipher.final();
    } catch {
      throw altered('a chunk was not encrypted under its key, or not at this place');
    }
    return content;
  }
}

/** Encrypts and decrypts payloads of any format, chunk by chunk. Memory use does not grow with their size. */
import { altered } from './encryption-fault.js';
import { nonceBytes, type OpenedHead, type PayloadFormat, tagBytes } from './payload-format.js';

const nothing = Buffer.alloc(0);

/** Numbers the chunks. The last byte is 1 for the last chunk. */
class ChunkNonce {
  private readonly bytes = Buffer.alloc(nonceBytes);
  private counted = 0;

  constructor(
    prefix: Buffer,
    private readonly counterBytes: number,
  ) {
    prefix.copy(this.bytes);
  }

  /** @throws {RangeError} when the format has no number for another chunk */
  next(isLast: boolean): Buffer {
    const { bytes, counterBytes } = this;
    bytes.writeUIntBE(this.counted, nonceBytes - 1 - counterBytes, counterBytes);
    bytes[nonceBytes - 1] = isLast ? 1 : 0;
    this.counted += 1;
    return bytes;
  }
}

/** Encrypts one payload. The chunks that are given belong to the caller again when a call returns. */
export class PayloadWriter {
  private readonly key: Buffer;
  private readonly nonce: ChunkNonce;
  private readonly held: Buffer;
  private heldBytes = 0;
  /** How many bytes of content the chunk has that is being filled. */
  private chunkBytes: number;
  private first: Buffer[];

  constructor(
    private readonly format: PayloadFormat,
    fileKey: Buffer,
    associatedData: Buffer = nothing,
    head: Buffer = format.newHead(),
  ) {
    const { key, noncePrefix } = format.opened(fileKey, head, associatedData);
    this.key = key;
    this.nonce = new ChunkNonce(noncePrefix, format.counterBytes);
    this.held = Buffer.allocUnsafe(format.chunkBytes);
    this.chunkBytes = format.firstChunkBytes;
    this.first = [head];
  }

  /** As much as a chunk stays here, since only the end tells which chunk is the last one. */
  update(content: Buffer): Buffer[] {
    const out = this.first;
    this.first = [];
    let at = 0;
    while (this.heldBytes + content.length - at > this.chunkBytes) {
      const { chunkBytes } = this;
      if (this.heldBytes === 0) {
        this.encrypt(content.subarray(at, at + chunkBytes), false, out);
        at += chunkBytes;
      } else {
        at += content.copy(this.held, this.heldBytes, at, at + chunkBytes - this.heldBytes);
        this.encrypt(this.held.subarray(0, chunkBytes), false, out);
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
    const cipher = this.format.cipher(this.key, this.nonce.next(isLast));
    out.push(cipher.update(chunk));
    cipher.final();
    out.push(cipher.getAuthTag());
    this.chunkBytes = this.format.chunkBytes;
  }
}

/** Decrypts one payload. What it gives was proven before. */
export class PayloadReader {
  private opened: (OpenedHead & { nonce: ChunkNonce }) | undefined;
  private readonly held: Buffer;
  private heldBytes = 0;
  /** How many bytes the chunk has that is being filled, with what proves it. */
  private chunkBytes: number;
  private chunks = 0;

  constructor(
    private readonly format: PayloadFormat,
    private readonly fileKey: Buffer,
    private readonly associatedData: Buffer = nothing,
  ) {
    this.held = Buffer.allocUnsafe(format.chunkBytes + tagBytes);
    this.chunkBytes = format.firstChunkBytes + tagBytes;
  }

  /** @throws {EncryptionFault} `ciphertext-altered` */
  update(bytes: Buffer): Buffer[] {
    const out: Buffer[] = [];
    let at = 0;
    if (!this.opened) {
      const { headBytes } = this.format;
      at = bytes.copy(this.held, this.heldBytes, 0, headBytes - this.heldBytes);
      this.heldBytes += at;
      if (this.heldBytes < headBytes) return out;
      this.open(Buffer.from(this.held.subarray(0, headBytes)));
      this.heldBytes = 0;
    }
    while (this.heldBytes + bytes.length - at > this.chunkBytes) {
      const { chunkBytes } = this;
      if (this.heldBytes === 0) {
        out.push(this.decrypted(bytes.subarray(at, at + chunkBytes), false));
        at += chunkBytes;
      } else {
        at += bytes.copy(this.held, this.heldBytes, at, at + chunkBytes - this.heldBytes);
        out.push(this.decrypted(this.held.subarray(0, chunkBytes), false));
        this.heldBytes = 0;
      }
    }
    this.heldBytes += bytes.copy(this.held, this.heldBytes, at);
    return out;
  }

  /** @throws {EncryptionFault} `ciphertext-altered`, also when the payload was cut short */
  end(): Buffer {
    const content = this.decrypted(this.held.subarray(0, this.heldBytes), true);
    if (content.length === 0 && this.chunks > 1) throw altered('it ends with a chunk of nothing');
    return content;
  }

  private open(head: Buffer): void {
    const opened = this.format.opened(this.fileKey, head, this.associatedData);
    this.opened = { ...opened, nonce: new ChunkNonce(opened.noncePrefix, this.format.counterBytes) };
  }

  private decrypted(chunk: Buffer, isLast: boolean): Buffer {
    if (!this.opened) throw altered('it ends within its head');
    if (chunk.length < tagBytes) throw altered('it ends within a chunk');
    const { key, nonce } = this.opened;
    const cipher = this.format.decipher(key, nonce.next(isLast));
    cipher.setAuthTag(chunk.subarray(chunk.length - tagBytes));
    const content = cipher.update(chunk.subarray(0, chunk.length - tagBytes));
    try {
      cipher.final();
    } catch {
      throw altered('a chunk was not encrypted under its key, or not at this place');
    }
    this.chunks += 1;
    this.chunkBytes = this.format.chunkBytes + tagBytes;
    return content;
  }
}

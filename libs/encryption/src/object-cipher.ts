/** Encrypts and decrypts the segments of one object of a backup, each as a payload of its own. */
import { randomBytes } from 'node:crypto';
import type { EncryptionFormat } from '@strongroom/contracts';
import { agePayload } from './age-payload.js';
import { altered } from './encryption-fault.js';
import { PayloadReader, PayloadWriter } from './payload.js';
import { contentBytesIn, type PayloadFormat, payloadBytes } from './payload-format.js';
import { tinkPayload } from './tink-payload.js';

const payloadFormats: Readonly<Record<EncryptionFormat, PayloadFormat>> = {
  'age-encryption.org/v1': agePayload,
  'tink/AES256_GCM_HKDF_1MB': tinkPayload,
};

/** The key of one backup. It is made anew for each attempt, and is stored wrapped alone. */
export function newFileKey(format: EncryptionFormat): Buffer {
  return randomBytes(payloadFormats[format].fileKeyBytes);
}

/** Whether keys of this format are as long. */
export function isFileKeyOf(format: EncryptionFormat, fileKey: Buffer): boolean {
  return fileKey.length === payloadFormats[format].fileKeyBytes;
}

/** Where an object belongs. */
export interface ObjectPlace {
  accountId: string;
  backupId: string;
  /** Its full name, as the manifest has it. */
  objectName: string;
}

export class ObjectCipher {
  private readonly format: PayloadFormat;

  /** @throws {EncryptionFault} `ciphertext-altered`, when the key is none of this format */
  constructor(
    format: EncryptionFormat,
    private readonly fileKey: Buffer,
    private readonly place: ObjectPlace,
  ) {
    if (!isFileKeyOf(format, fileKey)) throw altered('its key is not as long as one of its format');
    this.format = payloadFormats[format];
  }

  /** How many bytes a segment of so many bytes of content has. */
  payloadBytes(contentBytes: number): number {
    return payloadBytes(this.format, contentBytes);
  }

  /** How many bytes of content fit into a segment of so many bytes; 0 when none do. */
  contentBytesIn(bytes: number): number {
    return contentBytesIn(this.format, bytes);
  }

  /** @param segment its number within the object, from 0 */
  writer(segment: number): PayloadWriter {
    return new PayloadWriter(this.format, this.fileKey, associatedData(this.place, segment));
  }

  /** @param segment its number within the object, from 0 */
  reader(segment: number): PayloadReader {
    return new PayloadReader(this.format, this.fileKey, associatedData(this.place, segment));
  }
}

/**
 * What a segment is bound to, where its format has a place for that. The account comes last: it is the only part that may have a slash, so
 * no two places are written alike.
 */
export function associatedData({ accountId, backupId, objectName }: ObjectPlace, segment: number): Buffer {
  return Buffer.from(`${backupId}/${objectName}/${segment}/${accountId}`);
}

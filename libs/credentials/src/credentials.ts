/**
 * The credentials of instances at rest: sealed by AES-256-GCM with a random nonce, bound to their instance, under a key
 * that the database never sees. What is in a sealed credential is in no log, answer or error.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Fault } from '@strongroom/contracts';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

export interface Credential {
  password: string;
}

export type CredentialFaultCode = 'key-invalid' | 'credential-unreadable';

export class CredentialFault extends Fault<CredentialFaultCode> {
  override readonly name = 'CredentialFault';

  constructor(code: CredentialFaultCode, message: string) {
    super(code, false, message);
  }
}

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
/** Of the layout: version, nonce, tag, ciphertext. */
const version = 1;

const stored = z.array(z.object({ ciphertext: z.instanceof(Buffer) }));
const credential = z.strictObject({ password: z.string() });

export class Credentials {
  /** @param key 32 bytes. @throws {CredentialFault} `key-invalid` */
  constructor(
    private readonly dataSource: DataSource,
    private readonly key: Buffer,
  ) {
    if (key.length !== keyBytes)
      throw new CredentialFault(
        'key-invalid',
        `STRONGROOM_SECRET_KEY must be ${keyBytes} bytes in base64, not ${key.length}. Make one: openssl rand -base64 ${keyBytes}`,
      );
  }

  /** Keeps the credential of an instance, in place of an earlier one. */
  async put(instanceId: string, { password }: Credential): Promise<void> {
    await this.dataSource.query(
      `insert into instance_credential (instance_id, ciphertext) values ($1, $2)
       on conflict (instance_id) do update set ciphertext = excluded.ciphertext, stored_at = now()`,
      [instanceId, this.seal(instanceId, JSON.stringify({ password }))],
    );
  }

  /** @throws {CredentialFault} `credential-unreadable`: sealed with another key, or changed */
  async get(instanceId: string): Promise<Credential | undefined> {
    const rows: unknown = await this.dataSource.query(
      'select ciphertext from instance_credential where instance_id = $1',
      [instanceId],
    );
    const [row] = stored.parse(rows);
    return row && this.open(instanceId, row.ciphertext);
  }

  async remove(instanceId: string): Promise<void> {
    await this.dataSource.query('delete from instance_credential where instance_id = $1', [instanceId]);
  }

  private seal(instanceId: string, text: string): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.key, nonce).setAAD(Buffer.from(instanceId));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.from([version]), nonce, cipher.getAuthTag(), sealed]);
  }

  private open(instanceId: string, bytes: Buffer): Credential {
    try {
      if (bytes.readUInt8(0) !== version) throw new RangeError('unknown layout');
      const nonce = bytes.subarray(1, 1 + nonceBytes);
      const tag = bytes.subarray(1 + nonceBytes, 1 + nonceBytes + tagBytes);
      const decipher = createDecipheriv(algorithm, this.key, nonce).setAAD(Buffer.from(instanceId)).setAuthTag(tag);
      const text = Buffer.concat([decipher.update(bytes.subarray(1 + nonceBytes + tagBytes)), decipher.final()]);
      return credential.parse(JSON.parse(text.toString('utf8')));
    } catch {
      // The cause is kept back: it could quote what was being opened.
      throw new CredentialFault(
        'credential-unreadable',
        `The credential of instance ${instanceId} can't be opened: STRONGROOM_SECRET_KEY is not the key it was sealed with, or it was changed. Register the instance again.`,
      );
    }
  }
}

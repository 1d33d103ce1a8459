/**
 * Keeps the credentials of instances. Each is sealed by AES-256-GCM with a random nonce, is bound to its instance, and needs a
 * key that the database never sees. No log, answer or error ever holds what is sealed.
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
/** The version of the layout, which is version, nonce, tag, ciphertext. */
const version = 1;

/** How many credentials are judged in one step. */
const atOnce = 1_000;

const instances = z.array(z.object({ instance_id: z.string() }));
const old = z.array(z.object({ instance_id: z.string(), until: z.date() }));
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

  /** Keeps the credential of an instance. It replaces an earlier one. */
  async put(instanceId: string, { password }: Credential): Promise<void> {
    await this.dataSource.query(
      `insert into instance_credential (instance_id, ciphertext) values ($1, $2)
       on conflict (instance_id) do update set ciphertext = excluded.ciphertext, stored_at = now()`,
      [instanceId, this.seal(instanceId, JSON.stringify({ password }))],
    );
  }

  /** @throws {CredentialFault} `credential-unreadable`, when it was sealed with another key or was changed */
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

  /**
   * Removes credentials that no instance needs. Each step checks a thousand instances.
   * @param olderThanMs a credential that was stored later is kept
   * @param orphansAmong tells those of the instances that need no credential since `until`, by the database's clock
   * @returns the instances whose credentials were removed
   */
  async removeOrphans(
    olderThanMs: number,
    orphansAmong: (instanceIds: string[], until: Date) => Promise<string[]>,
  ): Promise<string[]> {
    const removed: string[] = [];
    for (let after: string | null = null; ; ) {
      const rows: unknown = await this.dataSource.query(
        `select instance_id, now() - $1 * interval '1 ms' as until from instance_credential
         where stored_at < now() - $1 * interval '1 ms' and ($2::uuid is null or instance_id > $2) order by instance_id limit $3`,
        [olderThanMs, after, atOnce],
      );
      const found = old.parse(rows);
      const last = found.at(-1);
      if (!last) return removed;
      const orphans = await orphansAmong(
        found.map(({ instance_id }) => instance_id),
        last.until,
      );
      // One that was stored anew meanwhile is wanted again.
      const gone: unknown = await this.dataSource.query(
        `with gone as (delete from instance_credential where instance_id = any($1) and stored_at < $2 returning instance_id)
         select instance_id from gone`,
        [orphans, last.until],
      );
      removed.push(...instances.parse(gone).map(({ instance_id }) => instance_id));
      after = last.instance_id;
    }
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
      // The cause is left out, because it could quote what was opened.
      throw new CredentialFault(
        'credential-unreadable',
        `The credential of instance ${instanceId} can't be opened: STRONGROOM_SECRET_KEY is not the key it was sealed with, or it was changed. Register the instance again.`,
      );
    }
  }
}

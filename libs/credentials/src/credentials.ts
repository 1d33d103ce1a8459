/**
 * Keeps the credentials of instances. Each is sealed by AES-256-GCM with a random nonce, is bound to its instance, and needs a
 * key that the database never sees. No log, answer or error ever holds what is sealed.
 *
 * A changed credential is stored beside the one before. Which of them is in force is said by the instance's events alone, so
 * the change counts with its event, wherever a process dies.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Fault } from '@strongroom/contracts';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

export interface Credential {
  password: string;
  /** The key of the client certificate, as PEM; undefined without one. */
  clientKey?: string | undefined;
}

/** Names one credential of an instance. */
export interface CredentialName {
  instanceId: string;
  /** Null or undefined: the one that was stored under the instance itself. */
  credentialId?: string | null | undefined;
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
const names = z.array(z.object({ instance_id: z.string(), credential_id: z.string().nullable() }));
const old = z.array(z.object({ instance_id: z.string(), until: z.date() }));
const stored = z.array(z.object({ ciphertext: z.instanceof(Buffer) }));
const credential = z.strictObject({ password: z.string(), clientKey: z.string().optional() });

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

  /** Keeps the credential of an instance under the instance itself. It replaces an earlier one of that name at once. */
  async put(instanceId: string, { password, clientKey }: Credential): Promise<void> {
    await this.dataSource.query(
      `insert into instance_credential (instance_id, ciphertext) values ($1, $2)
       on conflict (instance_id) do update set ciphertext = excluded.ciphertext, stored_at = now()`,
      [instanceId, this.seal({ instanceId }, { password, clientKey })],
    );
  }

  /** Keeps a changed credential beside the others of the instance. It counts once an event of the instance names it. */
  async add(name: CredentialName & { credentialId: string }, { password, clientKey }: Credential): Promise<void> {
    await this.dataSource.query(
      'insert into changed_credential (credential_id, instance_id, ciphertext) values ($1, $2, $3)',
      [name.credentialId, name.instanceId, this.seal(name, { password, clientKey })],
    );
  }

  /** @throws {CredentialFault} `credential-unreadable`, when it was sealed with another key or was changed */
  async get(name: CredentialName): Promise<Credential | undefined> {
    const { instanceId, credentialId = null } = name;
    const rows: unknown =
      credentialId === null
        ? await this.dataSource.query('select ciphertext from instance_credential where instance_id = $1', [instanceId])
        : await this.dataSource.query(
            'select ciphertext from changed_credential where instance_id = $1 and credential_id = $2',
            [instanceId, credentialId],
          );
    const [row] = stored.parse(rows);
    return row && this.open(name, row.ciphertext);
  }

  /** Removes every credential of an instance. */
  async remove(instanceId: string): Promise<void> {
    await this.dataSource.query('delete from instance_credential where instance_id = $1', [instanceId]);
    await this.dataSource.query('delete from changed_credential where instance_id = $1', [instanceId]);
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
    const removed = new Set<string>();
    for await (const { ids, until } of this.steps(olderThanMs, 1)) {
      const orphans = await orphansAmong(ids, until);
      // One that was stored anew meanwhile is wanted again.
      const gone: unknown = await this.dataSource.query(
        `with gone as (delete from instance_credential where instance_id = any($1) and stored_at < $2 returning instance_id),
           changed as (delete from changed_credential where instance_id = any($1) and stored_at < $2 returning instance_id)
         select instance_id from gone union select instance_id from changed`,
        [orphans, until],
      );
      for (const { instance_id } of instances.parse(gone)) removed.add(instance_id);
    }
    return [...removed];
  }

  /**
   * Removes credentials that others have replaced, and those of changes that broke off. Each step checks a thousand
   * instances, and only such as have more than one credential.
   * @param olderThanMs a credential that was stored later is kept
   * @param inForce tells for each of the instances which credential is in force since `until`, by the database's clock. An
   *   instance for which it tells none keeps all of them
   * @returns the credentials that were removed
   */
  async removeReplaced(
    olderThanMs: number,
    inForce: (instanceIds: string[], until: Date) => Promise<CredentialName[]>,
  ): Promise<CredentialName[]> {
    const removed: CredentialName[] = [];
    for await (const { ids, until } of this.steps(olderThanMs, 2)) {
      const kept = await inForce(ids, until);
      const gone: unknown = await this.dataSource.query(
        `with kept as (select * from unnest($1::uuid[], $2::uuid[]) as k (instance_id, credential_id)),
           first as (
             delete from instance_credential c using kept k
             where c.instance_id = k.instance_id and k.credential_id is not null and c.stored_at < $3
             returning c.instance_id, null::uuid as credential_id
           ),
           changed as (
             delete from changed_credential c using kept k
             where c.instance_id = k.instance_id and c.credential_id is distinct from k.credential_id and c.stored_at < $3
             returning c.instance_id, c.credential_id
           )
         select * from first union all select * from changed`,
        [kept.map(({ instanceId }) => instanceId), kept.map(({ credentialId = null }) => credentialId), until],
      );
      const rows = names.parse(gone);
      removed.push(
        ...rows.map(({ instance_id, credential_id }) => ({ instanceId: instance_id, credentialId: credential_id })),
      );
    }
    return removed;
  }

  /** The instances with at least so many credentials, one of them older than that, a thousand at a time in order of id. */
  private async *steps(olderThanMs: number, least: number): AsyncGenerator<{ ids: string[]; until: Date }> {
    for (let after: string | null = null; ; ) {
      const rows: unknown = await this.dataSource.query(
        `select instance_id, now() - $1 * interval '1 ms' as until from (
           select instance_id, stored_at from instance_credential
           union all select instance_id, stored_at from changed_credential
         ) as c
         where $2::uuid is null or instance_id > $2
         group by instance_id
         having min(stored_at) < now() - $1 * interval '1 ms' and count(*) >= $4
         order by instance_id limit $3`,
        [olderThanMs, after, atOnce, least],
      );
      const found = old.parse(rows);
      const last = found.at(-1);
      if (!last) return;
      yield { ids: found.map(({ instance_id }) => instance_id), until: last.until };
      after = last.instance_id;
    }
  }

  private seal(name: CredentialName, content: Credential): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.key, nonce).setAAD(boundTo(name));
    const sealed = Buffer.concat([cipher.update(JSON.stringify(content), 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.from([version]), nonce, cipher.getAuthTag(), sealed]);
  }

  private open(name: CredentialName, bytes: Buffer): Credential {
    try {
      if (bytes.readUInt8(0) !== version) throw new RangeError('unknown layout');
      const nonce = bytes.subarray(1, 1 + nonceBytes);
      const tag = bytes.subarray(1 + nonceBytes, 1 + nonceBytes + tagBytes);
      const decipher = createDecipheriv(algorithm, this.key, nonce).setAAD(boundTo(name)).setAuthTag(tag);
      const text = Buffer.concat([decipher.update(bytes.subarray(1 + nonceBytes + tagBytes)), decipher.final()]);
      return credential.parse(JSON.parse(text.toString('utf8')));
    } catch {
      // The cause is left out, because it could quote what was opened.
      throw new CredentialFault(
        'credential-unreadable',
        `The credential of instance ${name.instanceId} can't be opened: STRONGROOM_SECRET_KEY is not the key it was sealed with, or it was changed. Give the instance its credential again: PATCH /instances/${name.instanceId}.`,
      );
    }
  }
}

/** What the seal is bound to: no row can stand for another one. */
function boundTo({ instanceId, credentialId }: CredentialName): Buffer {
  return Buffer.from(credentialId ? `${instanceId}/${credentialId}` : instanceId);
}

/**
 * Keeps the credentials of instances. Each is sealed with a key that the database never sees, and bound to its account, its instance and
 * the connection that it is for: no event can send it elsewhere. No log, answer or error ever holds what is sealed.
 *
 * A changed credential is stored beside the one before. Which of them is in force is said by the instance's events alone, so
 * the change counts with its event, wherever a process dies.
 */
import { Fault } from '@strongroom/contracts';
import { KeyRing, secretKeyBytes } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { type Bound, beginOf, keyIdOf, type NotOpened, open, seal } from './sealed.js';

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

  constructor(code: CredentialFaultCode, message: string, retryable = false) {
    super(code, retryable, message);
  }
}

/** What the credential that is stored under the instance itself is bound to. */
export type FirstBound = Omit<Bound, 'credentialId'>;

/** How many credentials are judged in one step. */
const atOnce = 1_000;

const instances = z.array(z.object({ instance_id: z.string() }));
const names = z.array(z.object({ instance_id: z.string(), credential_id: z.string().nullable() }));
const old = z.array(z.object({ instance_id: z.string(), until: z.date() }));
const counts = z.array(z.object({ id: z.string(), count: z.int() }));
const stored = z.array(z.object({ ciphertext: z.instanceof(Buffer) }));
const credential = z.strictObject({ password: z.string(), clientKey: z.string().optional() });

export class Credentials {
  private readonly ring: KeyRing;

  /** @param keys a ring, or the one key of a ring: 32 bytes. @throws {CredentialFault} `key-invalid` */
  constructor(
    private readonly dataSource: DataSource,
    keys: KeyRing | Buffer,
  ) {
    if (keys instanceof KeyRing) this.ring = keys;
    else if (keys.length === secretKeyBytes) this.ring = new KeyRing([keys]);
    else {
      const words = `must be ${secretKeyBytes} bytes in base64, not ${keys.length}`;
      const how = `openssl rand -base64 ${secretKeyBytes}`;
      throw new CredentialFault('key-invalid', `STRONGROOM_SECRET_KEY ${words}. Make one: ${how}`);
    }
  }

  /** Keeps the credential of an instance under the instance itself. It replaces an earlier one of that name at once. */
  async put(bound: FirstBound, credential: Credential): Promise<void> {
    await this.putAll([{ bound, credential }]);
  }

  /** As `put`, for several instances by one statement. No two may be of one instance. */
  async putAll(given: readonly { bound: FirstBound; credential: Credential }[]): Promise<void> {
    const sealed = given.map(({ bound, credential }) => this.sealed({ ...bound, credentialId: null }, credential));
    await this.dataSource.query(
      `insert into instance_credential (instance_id, ciphertext)
       select * from unnest($1::uuid[], $2::bytea[]) as given(instance_id, ciphertext) order by instance_id
       on conflict (instance_id) do update set ciphertext = excluded.ciphertext, stored_at = now()`,
      [given.map(({ bound }) => bound.instanceId), sealed],
    );
  }

  /** Keeps a changed credential beside the others of the instance. It counts once an event of the instance names it. */
  async add(bound: Bound & { credentialId: string }, credential: Credential): Promise<void> {
    await this.dataSource.query(
      'insert into changed_credential (credential_id, instance_id, ciphertext) values ($1, $2, $3)',
      [bound.credentialId, bound.instanceId, this.sealed(bound, credential)],
    );
  }

  /**
   * @param bound as the instance is now; the credential is given only when it was sealed for that
   * @throws {CredentialFault} `credential-unreadable`, when it was sealed with another key or for another connection, or was changed
   */
  async get(bound: Bound): Promise<Credential | undefined> {
    const bytes = await this.stored(bound);
    return bytes && this.opened(bound, bytes);
  }

  /**
   * Seals some credentials anew that are sealed under a former key, or as an older version has sealed them.
   * @param after the instance after which to go on; undefined at the start
   * @param boundOf tells what the credential of an instance that is in force is bound to; undefined where there is none, or nobody knows
   * @returns the instances whose credential could not be opened, and where to go on; undefined at the end
   */
  async resealSome(
    after: string | undefined,
    boundOf: (instanceId: string) => Promise<Bound | undefined>,
  ): Promise<{ resealed: string[]; unreadable: string[]; next: string | undefined }> {
    const rows: unknown = await this.dataSource.query(
      `select distinct instance_id from (
         select instance_id, ciphertext from instance_credential union all select instance_id, ciphertext from changed_credential
       ) as c
       where ($1::uuid is null or instance_id > $1) and substring(ciphertext from 1 for $2) <> $3
       order by instance_id limit $4`,
      [after ?? null, this.begin.length, this.begin, atOnce],
    );
    const found = instances.parse(rows).map(({ instance_id }) => instance_id);
    const done = { resealed: [] as string[], unreadable: [] as string[] };
    for (const instanceId of found) {
      const bound = await boundOf(instanceId);
      const bytes = bound && (await this.stored(bound));
      if (!bytes || bytes.subarray(0, this.begin.length).equals(this.begin)) continue;
      const isDone = await this.reseal(bound, bytes);
      (isDone ? done.resealed : done.unreadable).push(instanceId);
    }
    return { ...done, next: found.length === atOnce ? found.at(-1) : undefined };
  }

  /**
   * How many credentials are sealed under each key, by the key's id; those of older versions, which name none, under `''`. The secrets of
   * webhooks count too, where the database has a place for them.
   */
  async countByKey(): Promise<Map<string, number>> {
    const found: unknown = await this.dataSource.query(`select to_regclass('webhook_secret') is not null as there`);
    const hasWebhooks = z.array(z.object({ there: z.boolean() })).parse(found)[0]?.there;
    const ofWebhooks = hasWebhooks ? 'union all select ciphertext from webhook_secret' : '';
    const rows: unknown = await this.dataSource.query(
      `select case when get_byte(ciphertext, 0) = 2 then encode(substring(ciphertext from 2 for 8), 'hex') else '' end as id, count(*)::int as count
       from (select ciphertext from instance_credential union all select ciphertext from changed_credential ${ofWebhooks}) as c
       where length(ciphertext) > 0 group by 1`,
    );
    return new Map(counts.parse(rows).map(({ id, count }) => [id, count]));
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

  private get begin(): Buffer {
    return beginOf(this.ring.newest);
  }

  private async stored({ instanceId, credentialId = null }: Bound): Promise<Buffer | undefined> {
    const rows: unknown =
      credentialId === null
        ? await this.dataSource.query('select ciphertext from instance_credential where instance_id = $1', [instanceId])
        : await this.dataSource.query(
            'select ciphertext from changed_credential where instance_id = $1 and credential_id = $2',
            [instanceId, credentialId],
          );
    return stored.parse(rows)[0]?.ciphertext;
  }

  /** Another process may have replaced it meanwhile: then that stays. @returns false when it could not be opened */
  private async reseal(bound: Bound, bytes: Buffer): Promise<boolean> {
    const { instanceId, credentialId = null } = bound;
    const read = open(this.ring, bound, bytes);
    if ('why' in read) return false;
    const sealed = seal(this.ring, bound, read.text);
    if (credentialId === null) {
      await this.dataSource.query(
        'update instance_credential set ciphertext = $2 where instance_id = $1 and ciphertext = $3',
        [instanceId, sealed, bytes],
      );
    } else {
      await this.dataSource.query(
        'update changed_credential set ciphertext = $2 where instance_id = $1 and ciphertext = $3 and credential_id = $4',
        [instanceId, sealed, bytes, credentialId],
      );
    }
    return true;
  }

  private sealed(bound: Bound, { password, clientKey }: Credential): Buffer {
    return seal(this.ring, bound, JSON.stringify({ password, clientKey }));
  }

  private opened(bound: Bound, bytes: Buffer): Credential {
    const read = open(this.ring, bound, bytes);
    if ('why' in read) throw unreadable(bound, read.why, keyIdOf(bytes));
    try {
      return credential.parse(JSON.parse(read.text));
    } catch {
      // The cause is left out, because it could quote what was opened.
      throw unreadable(bound, 'not-bound-so', undefined);
    }
  }
}

/** A key that this process does not have may be given to it; nothing else helps but the credential itself. */
function unreadable({ instanceId }: Bound, why: NotOpened, keyId: string | undefined): CredentialFault {
  const because =
    why === 'key-unknown'
      ? `it was sealed with key ${keyId}, which STRONGROOM_SECRET_KEY of this process does not have. Give every service the whole ring, or give`
      : 'STRONGROOM_SECRET_KEY is not the key it was sealed with, it was sealed for another connection or account, or it was changed. Give';
  return new CredentialFault(
    'credential-unreadable',
    `The credential of instance ${instanceId} can't be opened: ${because} the instance its credential again: PATCH /instances/${instanceId}.`,
    why === 'key-unknown',
  );
}

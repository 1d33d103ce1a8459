/**
 * Keeps what is secret of webhooks: the URL and the secrets that sign its deliveries, sealed together. A change is stored beside what was
 * before, and counts with the event that names it.
 */
import type { KeyRing } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { CredentialFault } from './credentials.js';
import { type BoundOfWebhook, beginOf, keyIdOf, open, seal } from './sealed.js';

const sealed = z.strictObject({
  url: z.string(),
  /** The newest first. Each signs until its time; null has none. */
  secrets: z.array(z.strictObject({ secret: z.string(), until: z.string().nullable() })).min(1),
});
export type SealedOfWebhook = z.infer<typeof sealed>;

const ciphertexts = z.array(z.object({ ciphertext: z.instanceof(Buffer) }));
const names = z.array(z.object({ secret_id: z.string(), webhook_id: z.string(), is_old: z.boolean() }));

/** One row, as whoever tidies up sees it. */
export interface StoredSecret {
  secretId: string;
  webhookId: string;
  /** Whether it was stored long ago, so that no change which would name it is under way. */
  isOld: boolean;
}

export class WebhookSecrets {
  constructor(
    private readonly dataSource: DataSource,
    private readonly ring: KeyRing,
  ) {}

  /** Keeps it under its id. What another request has stored under the id before stays. @returns what is stored */
  async keep(bound: BoundOfWebhook, content: SealedOfWebhook): Promise<SealedOfWebhook> {
    await this.dataSource.query(
      'insert into webhook_secret (secret_id, webhook_id, ciphertext) values ($1, $2, $3) on conflict (secret_id) do nothing',
      [bound.secretId, bound.webhookId, seal(this.ring, bound, JSON.stringify(content))],
    );
    return this.get(bound);
  }

  /** @throws {CredentialFault} `credential-unreadable`, when it is not there or can't be opened for this webhook */
  async get(bound: BoundOfWebhook): Promise<SealedOfWebhook> {
    const bytes = await this.stored(bound);
    if (!bytes) throw unreadable(bound.webhookId, 'it is not there');
    const read = open(this.ring, bound, bytes);
    if ('why' in read) {
      const isUnknown = read.why === 'key-unknown';
      const because = isUnknown
        ? `it was sealed with key ${keyIdOf(bytes)}, which STRONGROOM_SECRET_KEY of this process does not have`
        : 'it was sealed for another URL or account, or it was changed';
      throw unreadable(bound.webhookId, because, isUnknown);
    }
    return sealed.parse(JSON.parse(read.text));
  }

  /** The webhook that a secret is of; undefined when there is no such secret. */
  async webhookOf(secretId: string): Promise<string | undefined> {
    const rows: unknown = await this.dataSource.query(
      'select secret_id, webhook_id, false as is_old from webhook_secret where secret_id = $1',
      [secretId],
    );
    return names.parse(rows)[0]?.webhook_id;
  }

  /** The next secrets, in order of id. @param after undefined at the start */
  async some(after: string | undefined, oldMs: number, limit: number): Promise<StoredSecret[]> {
    const rows: unknown = await this.dataSource.query(
      `select secret_id, webhook_id, stored_at < now() - $2 * interval '1 millisecond' as is_old from webhook_secret
       where $1::uuid is null or secret_id > $1 order by secret_id limit $3`,
      [after ?? null, oldMs, limit],
    );
    return names.parse(rows).map((row) => ({ secretId: row.secret_id, webhookId: row.webhook_id, isOld: row.is_old }));
  }

  async remove(secretId: string): Promise<void> {
    await this.dataSource.query('delete from webhook_secret where secret_id = $1', [secretId]);
  }

  /** Seals it with the newest key, when another one has sealed it. @throws {CredentialFault} as `get` */
  async reseal(bound: BoundOfWebhook): Promise<void> {
    const bytes = await this.stored(bound);
    const begin = beginOf(this.ring.newest);
    if (!bytes || bytes.subarray(0, begin.length).equals(begin)) return;
    const content = await this.get(bound);
    await this.dataSource.query('update webhook_secret set ciphertext = $2 where secret_id = $1 and ciphertext = $3', [
      bound.secretId,
      seal(this.ring, bound, JSON.stringify(content)),
      bytes,
    ]);
  }

  private async stored({ webhookId, secretId }: BoundOfWebhook): Promise<Buffer | undefined> {
    const rows: unknown = await this.dataSource.query(
      'select ciphertext from webhook_secret where secret_id = $1 and webhook_id = $2',
      [secretId, webhookId],
    );
    return ciphertexts.parse(rows)[0]?.ciphertext;
  }
}

function unreadable(webhookId: string, because: string, retryable = false): CredentialFault {
  const words = `What is sealed of webhook ${webhookId} can't be opened: ${because}. Give it its URL again (PATCH /webhooks/${webhookId}), and then ask for a new secret (POST /webhooks/${webhookId}/secret).`;
  return new CredentialFault('credential-unreadable', words, retryable);
}

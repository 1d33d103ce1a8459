/**
 * Requests that carry a key of their own, so that one whose answer got lost can be sent again. What makes the key count
 * is a claim that the ledger takes with the effect: however often the request comes, and wherever a process dies, it has
 * its effect once. The answer is kept for a day beside it.
 */
import { createHash } from 'node:crypto';
import { idempotencyKey } from '@strongroom/ledger';
import type { Ids } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import type { Repeatable } from './caller.js';
import { Fault } from './fault.js';

export interface KeyedRequest {
  accountId: string;
  key: string;
  method: string;
  path: string;
  body: unknown;
}

export interface KnownAnswer {
  status: number;
  body: unknown;
}

const keptHours = 24;

const rows = z.array(
  z.object({
    fingerprint: z.instanceof(Buffer),
    resource_id: z.string(),
    status: z.int().nullable(),
    body: z.unknown(),
    had_effect: z.boolean(),
  }),
);

export class IdempotentRequests {
  constructor(
    private readonly dataSource: DataSource,
    private readonly ids: Ids,
  ) {}

  /**
   * @returns the answer to the first request with the key, or what to do this one with
   * @throws {Fault} unprocessableEntity when the key came with another request before
   */
  async begin(request: KeyedRequest): Promise<KnownAnswer | Repeatable> {
    const { accountId, key } = request;
    const fingerprint = fingerprintOf(request);
    const claim = { kind: idempotencyKey, key: claimKey(request) } as const;
    await this.forgetIfOld(request);
    await this.dataSource.query(
      `insert into idempotent_request (account_id, key, fingerprint, resource_id) values ($1, $2, $3, $4)
       on conflict do nothing`,
      [accountId, key, fingerprint, this.ids.next()],
    );
    const found: unknown = await this.dataSource.query(
      `select fingerprint, resource_id, status, body,
         exists (select from ledger_claim where kind = $3 and key = $4) as had_effect
       from idempotent_request where account_id = $1 and key = $2`,
      [accountId, key, claim.kind, claim.key],
    );
    const [row] = rows.parse(found);
    if (!row) throw new Error(`the idempotency key ${key} vanished while it was begun`);
    if (!row.fingerprint.equals(fingerprint)) {
      throw new Fault(
        'unprocessableEntity',
        'Idempotency-Key: was sent with another request within the last 24 hours. Use a new key for a new request.',
      );
    }
    if (row.status !== null) return { status: row.status, body: row.body };
    return { resourceId: row.resource_id, claim, hadEffect: row.had_effect };
  }

  /** Keeps the answer for whoever sends the request again. */
  async end({ accountId, key }: KeyedRequest, { status, body }: KnownAnswer): Promise<void> {
    await this.dataSource.query(
      'update idempotent_request set status = $3, body = $4 where account_id = $1 and key = $2 and status is null',
      [accountId, key, status, JSON.stringify(body ?? null)],
    );
  }

  /** Forgets what is older than a day. */
  async purge(): Promise<void> {
    await this.forget(`begun_at < now() - interval '${keptHours} hours'`, []);
  }

  private forgetIfOld({ accountId, key }: KeyedRequest): Promise<void> {
    return this.forget(`account_id = $2 and key = $3 and begun_at < now() - interval '${keptHours} hours'`, [
      accountId,
      key,
    ]);
  }

  private async forget(which: string, values: unknown[]): Promise<void> {
    await this.dataSource.query(
      `with gone as (delete from idempotent_request where ${which} returning account_id, key)
       delete from ledger_claim using gone
       where ledger_claim.kind = $1 and ledger_claim.key = gone.account_id || '/' || gone.key`,
      [idempotencyKey, ...values],
    );
  }
}

function claimKey({ accountId, key }: KeyedRequest): string {
  return `${accountId}/${key}`;
}

/** A digest only: a body may hold a password. */
function fingerprintOf({ method, path, body }: KeyedRequest): Buffer {
  return createHash('sha256')
    .update(`${method} ${path}\n${JSON.stringify(body ?? null)}`)
    .digest();
}

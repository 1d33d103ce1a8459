/**
 * Requests with an Idempotency-Key, so that a client whose answer got lost can send its request again. The key is a claim in
 * the ledger, which is taken together with the effect or with the refusal. However often the request comes, and wherever a
 * process dies, the request therefore has one effect or one refusal. Its answer is kept for a day.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { faultBody, faultTypes } from '@strongroom/contracts';
import type { Claim } from '@strongroom/domain';
import { idempotencyKey, Ledger } from '@strongroom/ledger';
import { Clock, type ConfigOf, configToken, Ids, inTransaction, type KeyRing, keyRingOf } from '@strongroom/runtime';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { HttpFault } from './http-fault.js';

export interface KeyedRequest {
  accountId: string;
  /** The only instances that the caller reaches: another caller may not have the answer, for it reaches others. */
  instances?: readonly string[] | undefined;
  key: string;
  method: string;
  path: string;
  body: unknown;
}

export type Settled =
  | { is: 'answered'; body: unknown }
  | { is: 'refused'; fault: HttpFault }
  /** It has had its effect, but its answer was not kept. */
  | { is: 'done'; resourceId: string };

export type Begun =
  | Settled
  /** It is still to be done. It makes the resource with this id, and takes the claim together with its effect. */
  | { is: 'open'; resourceId: string; claim: Claim };

/** The header of an answer that was given before. */
export const replayed = { 'idempotent-replayed': 'true' };

/** A day after the answer, and a little more, because the age counts from the beginning of the answered attempt. */
const keptHours = 25;
/** Both the database's clock and the process's must say so: by one clock that is ahead, a request could have its effect twice. */
const isOld = `begun_at < least(now(), $1::timestamptz) - interval '${keptHours} hours'`;

/** How many are forgotten in one piece: far fewer than a statement has time for. */
const atOnce = 1_000;

const rows = z.array(
  z.object({
    fingerprint: z.instanceof(Buffer),
    resource_id: z.string(),
    status: z.int().nullable(),
    body: z.unknown(),
    had_effect: z.boolean(),
  }),
);

const keys = z.array(z.object({ accountId: z.string(), key: z.string() }));

export class IdempotentRequests {
  private readonly ring: KeyRing;

  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(Ids) private readonly ids: Ids,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(configToken) config: ConfigOf['api'],
  ) {
    this.ring = keyRingOf(config);
  }

  /**
   * @returns what became of the request with the key, or that it is still to be done
   * @throws {HttpFault} unprocessableEntity when the key came with another request before
   */
  async begin(request: KeyedRequest): Promise<Begun> {
    await this.forgetIfOld(request);
    const fingerprints = this.fingerprintsOf(request);
    // Each attempt begins its day anew as long as it is not answered: its claim must not be forgotten during an attempt.
    await this.dataSource.query(
      `insert into idempotent_request as r (account_id, key, fingerprint, resource_id) values ($1, $2, $3, $4)
       on conflict (account_id, key) do update set begun_at = now()
         where r.status is null and r.fingerprint = any($5)`,
      [request.accountId, request.key, fingerprints[0], this.ids.next(), fingerprints],
    );
    return this.outcomeOf(request);
  }

  /**
   * Keeps the body of the success for the next time that the request is sent.
   * @returns what is kept, which is another attempt's answer when that was faster
   */
  async end(request: KeyedRequest, status: number, body: unknown): Promise<Begun> {
    await this.keep(this.dataSource, request, status, body);
    return this.outcomeOf(request);
  }

  /**
   * Keeps the refusal, and takes the claim: the request can have no effect from then on.
   * @returns what has become of the request instead, when it had its effect or its answer already
   */
  async refuse(request: KeyedRequest, { status, body }: HttpFault): Promise<Settled | undefined> {
    const isRefused = await inTransaction(this.dataSource, async (manager) => {
      if (!(await this.ledger.claimWithin(manager, claimOf(request), 'refusal'))) return false;
      return this.keep(manager, request, status, body);
    });
    const now = await this.outcomeOf(request);
    return isRefused || now.is === 'open' ? undefined : now;
  }

  /** Forgets some of the requests that are older than a day. @returns whether there may be more of them */
  async purge(): Promise<'again' | 'done'> {
    return (await this.forget('true', [])) < atOnce ? 'done' : 'again';
  }

  private async outcomeOf(request: KeyedRequest): Promise<Begun> {
    const { accountId, key } = request;
    const claim = claimOf(request);
    const found: unknown = await this.dataSource.query(
      `select fingerprint, resource_id, status, body, ledger_is_claimed($3, $4) as had_effect
       from idempotent_request where account_id = $1 and key = $2`,
      [accountId, key, claim.kind, claim.key],
    );
    const [row] = rows.parse(found);
    if (!row) throw new Error(`the idempotency key ${key} vanished while it was in use`);
    if (!this.fingerprintsOf(request).some((each) => row.fingerprint.equals(each))) {
      throw new HttpFault(
        'unprocessableEntity',
        'Idempotency-Key: was sent with another request within the last 24 hours. Use a new key for a new request.',
      );
    }
    if (row.status !== null) {
      return row.status < 400 ? { is: 'answered', body: row.body } : { is: 'refused', fault: httpFaultOf(row.body) };
    }
    if (row.had_effect) return { is: 'done', resourceId: row.resource_id };
    return { is: 'open', resourceId: row.resource_id, claim };
  }

  /** @returns whether this answer is the first */
  private async keep(
    on: DataSource | EntityManager,
    { accountId, key }: KeyedRequest,
    status: number,
    body: unknown,
  ): Promise<boolean> {
    const kept: unknown = await on.query(
      `with kept as (
         update idempotent_request set status = $3, body = $4 where account_id = $1 and key = $2 and status is null returning 1
       ) select from kept`,
      [accountId, key, status, JSON.stringify(body ?? null)],
    );
    return z.array(z.unknown()).parse(kept).length > 0;
  }

  private async forgetIfOld({ accountId, key }: KeyedRequest): Promise<void> {
    const mine = 'account_id = $2 and key = $3';
    // Hardly any request is old, and a question costs less than a transaction.
    const old: unknown = await this.dataSource.query(`select from idempotent_request where ${mine} and ${isOld}`, [
      this.clock.now(),
      accountId,
      key,
    ]);
    if (z.array(z.unknown()).parse(old).length > 0) await this.forget(mine, [accountId, key]);
  }

  /** Each call is a transaction of its own, so that what it has done stays when a later one fails. @returns how many are forgotten */
  private async forget(which: string, values: unknown[]): Promise<number> {
    return inTransaction(this.dataSource, async (manager) => {
      const found: unknown = await manager.query(
        `with old as (
           select account_id, key from idempotent_request where ${which} and ${isOld}
           order by begun_at limit ${atOnce} for update skip locked
         ), gone as (
           delete from idempotent_request r using old where r.account_id = old.account_id and r.key = old.key
           returning r.account_id, r.key
         ) select account_id as "accountId", key from gone`,
        [this.clock.now(), ...values],
      );
      const gone = keys.parse(found);
      await this.ledger.releaseClaims(manager, idempotencyKey, gone.map(claimKeyOf));
      return gone.length;
    });
  }

  /**
   * Only a digest of the request is kept. It is made with a key that the database never sees, because a body may hold a
   * password that can be guessed. The digests are those of every key, the newest first: the key may have changed since.
   */
  private fingerprintsOf({ method, path, body, instances }: KeyedRequest): Buffer[] {
    const reach = instances === undefined ? '' : `\n${[...instances].sort().join(' ')}`;
    const text = `${method} ${path}\n${JSON.stringify(body ?? null)}${reach}`;
    return this.ring.all.map(({ bytes }) => {
      const key = Buffer.from(hkdfSync('sha256', bytes, '', 'strongroom idempotent requests', 32));
      return createHmac('sha256', key).update(text).digest();
    });
  }
}

function claimOf(request: KeyedRequest): Claim {
  return { kind: idempotencyKey, key: claimKeyOf(request) };
}

function claimKeyOf({ accountId, key }: Pick<KeyedRequest, 'accountId' | 'key'>): string {
  return `${accountId}/${key}`;
}

function httpFaultOf(body: unknown): HttpFault {
  const faults = faultBody.parse(body);
  for (const type of faultTypes) {
    const told = faults[type];
    if (told) return new HttpFault(type, told.message, replayed);
  }
  throw new TypeError('an idempotent request was kept as refused, without its fault');
}

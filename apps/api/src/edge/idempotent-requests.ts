/**
 * Requests with an Idempotency-Key, so that a client whose answer got lost can send its request again. The key is a claim in
 * the ledger, which is taken together with the effect or with the refusal, and the request is kept in the same transaction. However
 * often it comes, and wherever a process dies, it therefore has one effect or one refusal. It is known again for a day.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { faultBody, faultTypes } from '@strongroom/contracts';
import type { Claim } from '@strongroom/domain';
import { idempotencyKey, type KeptRequest, Ledger, SharedStatements } from '@strongroom/ledger';
import { Clock, type ConfigOf, configToken, Ids, inTransaction, keyRingOf } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
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

/** What has become of a request before. An attempt of an older version may have left the id of what it was to make. */
export type Before = Settled | { is: 'open'; resourceId?: string };

/** The header of an answer that was given before. */
export const replayed = { 'idempotent-replayed': 'true' };

/** A day after the answer, and a little more, because it is kept a moment before its answer is sent. */
const keptFor = '25 hours';
/** Both the database's clock and the process's must say so: by one clock that is ahead, a request could have its effect twice. */
const isOld = `begun_at < least(now(), $1::timestamptz) - interval '${keptFor}'`;

/** How many are forgotten in one piece: far fewer than a statement has time for. */
const atOnce = 1_000;
/** How many are looked for, or refused, by one statement. */
const mostTogether = 100;

interface Refusal {
  request: KeyedRequest;
  resourceId: string;
  fault: HttpFault;
}

const places = z.array(z.object({ place: z.int() }));

const rows = z.array(
  z.object({
    place: z.int(),
    fingerprint: z.instanceof(Buffer),
    resource_id: z.string(),
    status: z.int().nullable(),
    body: z.unknown(),
    had_effect: z.boolean(),
    is_old: z.boolean(),
  }),
);

type Row = z.infer<typeof rows>[number];

const keys = z.array(z.object({ accountId: z.string(), key: z.string() }));

export class IdempotentRequests {
  /** The newest is the first. */
  private readonly digestKeys: readonly KeyObject[];
  private readonly finds = new SharedStatements<KeyedRequest, Row | undefined>(mostTogether, (asked) =>
    this.findAll(asked),
  );
  private readonly refusals = new SharedStatements<Refusal, boolean>(mostTogether, (asked) => this.refuseAll(asked));

  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(Ids) private readonly ids: Ids,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(configToken) config: ConfigOf['api'],
  ) {
    this.digestKeys = keyRingOf(config).all.map(({ bytes }) =>
      createSecretKey(Buffer.from(hkdfSync('sha256', bytes, '', 'strongroom idempotent requests', 32))),
    );
  }

  /**
   * @returns what became of the request with the key, or that it is still to be done
   * @throws {HttpFault} unprocessableEntity when the key came with another request before
   */
  async before(request: KeyedRequest): Promise<Before> {
    const row = await this.finds.do(request);
    if (!row?.is_old) return this.outcomeOf(request, row);
    await this.forget('account_id = $2 and key = $3', [request.accountId, request.key]);
    return this.outcomeOf(request, await this.finds.do(request));
  }

  /**
   * What the effect of a request goes with: it takes the claim and keeps the request.
   * @param resourceId of what the request makes. Default: a new one
   */
  keyOf(request: KeyedRequest, resourceId = this.ids.next()): { claim: Claim; keeps: KeptRequest } {
    const { accountId, key } = request;
    const [fingerprint = ''] = this.fingerprintsOf(request);
    return { claim: claimOf(request), keeps: { accountId, key, fingerprint, resourceId } };
  }

  /**
   * Keeps the answer of a success that makes nothing, for the next time that the request is sent.
   * @returns what was kept instead, when another attempt was faster
   */
  async end(request: KeyedRequest, resourceId: string, status: number, body: unknown): Promise<Before | undefined> {
    const isFirst = await this.keep(request, { resourceId, status, body });
    return isFirst ? undefined : this.outcomeOf(request, await this.finds.do(request));
  }

  /**
   * Keeps the refusal, and takes the claim: the request can have no effect from then on.
   * @returns what has become of the request instead, when it had its effect or its answer already
   */
  async refuse(request: KeyedRequest, resourceId: string, fault: HttpFault): Promise<Settled | undefined> {
    if (await this.refusals.do({ request, resourceId, fault })) return undefined;
    const now = await this.before(request);
    if (now.is !== 'open') return now;
    // What had the key is forgotten now, for it is more than a day old.
    await this.refusals.do({ request, resourceId, fault });
    return undefined;
  }

  /** Forgets some of the requests that are older than a day. @returns whether there may be more of them */
  async purge(): Promise<'again' | 'done'> {
    return (await this.forget('true', [])) < atOnce ? 'done' : 'again';
  }

  /** @throws {HttpFault} unprocessableEntity when the row is of another request */
  private outcomeOf(request: KeyedRequest, row: Row | undefined): Before {
    if (!row) return { is: 'open' };
    if (!this.fingerprintsOf(request).includes(row.fingerprint.toString('hex'))) {
      throw new HttpFault(
        'unprocessableEntity',
        'Idempotency-Key: was sent with another request within the last 24 hours. Use a new key for a new request.',
      );
    }
    if (row.status !== null) {
      return row.status < 400 ? { is: 'answered', body: row.body } : { is: 'refused', fault: httpFaultOf(row.body) };
    }
    return { is: row.had_effect ? 'done' : 'open', resourceId: row.resource_id };
  }

  private async findAll(asked: readonly KeyedRequest[]): Promise<(Row | undefined)[]> {
    const keyed = asked.map(({ accountId, key }, place) => ({ place, accountId, key }));
    const found: unknown = await this.dataSource.query('select * from request_find($1, $2, $3)', [
      ...[JSON.stringify(keyed), this.clock.now(), keptFor],
    ]);
    const known = new Map(rows.parse(found).map((row) => [row.place, row]));
    return asked.map((_, place) => known.get(place));
  }

  /** @returns of each whether it is refused from now on */
  private async refuseAll(asked: readonly Refusal[]): Promise<boolean[]> {
    const refused = asked.map(({ request, resourceId, fault: { status, body } }, place) => {
      const fingerprints = this.fingerprintsOf(request);
      const { accountId, key } = request;
      return { place, accountId, key, fingerprints, resourceId, status, body: JSON.stringify(body) };
    });
    const found: unknown = await this.dataSource.query('select * from request_refuse($1)', [JSON.stringify(refused)]);
    const kept = new Set(places.parse(found).map(({ place }) => place));
    return asked.map((_, place) => kept.has(place));
  }

  /** @returns whether this answer is the first */
  private async keep(
    request: KeyedRequest,
    { resourceId, status, body }: { resourceId: string; status: number; body: unknown },
  ): Promise<boolean> {
    const { accountId, key } = request;
    const fingerprints = this.fingerprintsOf(request).map((each) => Buffer.from(each, 'hex'));
    const kept: unknown = await this.dataSource.query(
      `with kept as (
         insert into idempotent_request as r (account_id, key, fingerprint, resource_id, status, body) values ($1, $2, $3, $4, $5, $6)
         on conflict (account_id, key) do update set status = excluded.status, body = excluded.body
           where r.status is null and r.fingerprint = any($7)
         returning 1
       ) select from kept`,
      [accountId, key, fingerprints[0], resourceId, status, JSON.stringify(body ?? null), fingerprints],
    );
    return z.array(z.unknown()).parse(kept).length > 0;
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
   * password that can be guessed. The digests are those of every key, the newest first and in hexadecimal: the key may have changed since.
   */
  private fingerprintsOf({ method, path, body, instances }: KeyedRequest): string[] {
    const reach = instances === undefined ? '' : `\n${[...instances].sort().join(' ')}`;
    const text = `${method} ${path}\n${JSON.stringify(body ?? null)}${reach}`;
    return this.digestKeys.map((key) => createHmac('sha256', key).update(text).digest('hex'));
  }
}

/** The SQLSTATE of `request_keep` for a key under which an answer is kept already. */
const keptBefore = 'SR138';

/** Whether an append was refused because an answer to another request is kept under its key, though nothing has taken it. */
export function isKeptBefore(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === keptBefore;
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
    if (told) return new HttpFault(type, told.message, replayed, told.details, undefined, told.refusal);
  }
  throw new TypeError('an idempotent request was kept as refused, without its fault');
}

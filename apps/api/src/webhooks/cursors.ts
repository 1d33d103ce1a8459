/**
 * How far each webhook has come in the events of its account, and which process delivers to it now. Whoever holds the lease alone
 * moves the cursor: what a lost process has sent and not noted is sent again, with the same id.
 */
import type { DataSource } from 'typeorm';
import { z } from 'zod';

export interface WebhookCursor {
  webhookId: string;
  accountId: string;
  /** Everything up to it was delivered, or is not for this webhook. */
  position: number;
  /** How often the delivery of the next event has failed. */
  failures: number;
  /** For how long nothing was taken, in milliseconds; 0 when the newest delivery was. */
  failingMs: number;
}

export interface WebhookTrouble {
  /** Since when nothing was taken; null when the newest delivery was. */
  failingSince: Date | null;
  /** When the event that waits is sent again; null when none waits. */
  nextAttempt: Date | null;
}

const cursorRows = z.array(
  z
    .object({
      webhook_id: z.string(),
      account_id: z.string(),
      position: z.coerce.number(),
      failures: z.int(),
      failing_ms: z.number(),
    })
    .transform((row) => ({
      ...{ webhookId: row.webhook_id, accountId: row.account_id, position: row.position },
      ...{ failures: row.failures, failingMs: row.failing_ms },
    })),
);
const idRows = z.array(z.object({ webhook_id: z.string() }));
const troubleRows = z.array(
  z
    .object({ webhook_id: z.string(), failing_since: z.date().nullable(), next_attempt: z.date().nullable() })
    .transform((row): [string, WebhookTrouble] => [
      row.webhook_id,
      { failingSince: row.failing_since, nextAttempt: row.next_attempt },
    ]),
);
const accountRows = z.array(z.object({ account_id: z.string() }));
const dueRows = z
  .array(z.object({ accounts: z.array(z.string()), at: z.string(), next_in_ms: z.number().nullable() }))
  .length(1);
const failingRows = z.array(z.object({ seconds: z.number() })).length(1);
const changedRows = z.tuple([z.array(z.unknown()), z.int()]);

/** A webhook whose events are to be delivered. */
export interface Begun {
  webhookId: string;
  accountId: string;
  /** Its first event is the next of the account. */
  position: number;
}

export class WebhookCursors {
  constructor(
    private readonly dataSource: DataSource,
    /** The name of the process, and of no other. */
    private readonly holder: string,
    private readonly leaseMs: number,
  ) {}

  /**
   * Has webhooks delivered to from now on. One that was stopped goes on where it stopped, and one that is under way is left alone.
   * @returns the accounts of those that begin
   */
  async begin(webhooks: readonly Begun[]): Promise<string[]> {
    const rows: unknown = await this.dataSource.query(
      `insert into webhook_cursor as c (webhook_id, account_id, position)
       select * from unnest($1::uuid[], $2::text[], $3::bigint[]) as given(webhook_id, account_id, position)
       where not exists (select from webhook_cursor begun where begun.webhook_id = given.webhook_id and begun.next_at is not null)
       order by webhook_id
       on conflict (webhook_id) do update set next_at = now(), failures = 0, failing_since = null where c.next_at is null
       returning account_id`,
      [
        webhooks.map(({ webhookId }) => webhookId),
        webhooks.map(({ accountId }) => accountId),
        webhooks.map(({ position }) => position),
      ],
    );
    return accountRows.parse(rows).map(({ account_id }) => account_id);
  }

  /** Has the webhook looked at now, whatever it waits for, even when it has stopped. */
  async wake(webhookId: string): Promise<void> {
    await this.dataSource.query('update webhook_cursor set next_at = now() where webhook_id = $1', [webhookId]);
  }

  /** Has what has failed tried again now: the webhook has another URL. */
  async retry(webhookId: string): Promise<void> {
    await this.dataSource.query(
      `update webhook_cursor set next_at = now(), failures = 0, failing_since = null
       where webhook_id = $1 and next_at is not null`,
      [webhookId],
    );
  }

  /**
   * Leases some webhooks of accounts that have events which they have not got. The accounts take turns, and of each those come first that
   * have waited for the longest. It costs by the webhooks of these accounts, and not by those of others.
   * @param accounts how many of each are leased at most
   */
  async take(limit: number, accounts: ReadonlyMap<string, number>): Promise<WebhookCursor[]> {
    const rows: unknown = await this.dataSource.query(
      `with asked as materialized (
         select account_id, most, ledger_newest_of(account_id) as newest from unnest($1::text[], $2::int[]) as given(account_id, most)
       ), due as materialized (
         select of_account.*, row_number() over (partition by asked.account_id order by of_account.next_at) as turn
         from asked cross join lateral (
           select c.webhook_id, c.next_at from webhook_cursor c
           where c.account_id = asked.account_id and c.next_at <= now() and c.position < asked.newest
             and (c.held_until is null or c.held_until < now())
           order by c.next_at limit asked.most
         ) of_account
       ), picked as (
         select c.webhook_id from due join webhook_cursor c on c.webhook_id = due.webhook_id
         where c.held_until is null or c.held_until < now()
         order by due.turn, due.next_at limit $3 for update of c skip locked
       ), taken as (
         update webhook_cursor c set holder = $4, held_until = now() + $5 * interval '1 millisecond'
         from picked where c.webhook_id = picked.webhook_id returning c.*
       )
       select webhook_id, account_id, position, failures,
         coalesce(extract(epoch from now() - failing_since) * 1000, 0)::float8 as failing_ms from taken`,
      [[...accounts.keys()], [...accounts.values()], limit, this.holder, this.leaseMs],
    );
    return cursorRows.parse(rows);
  }

  /** Accounts with a webhook that may be taken and has not got all. It looks at all webhooks. */
  async accountsBehind(limit: number): Promise<string[]> {
    const rows: unknown = await this.dataSource.query(
      `with free as materialized (
         select account_id, min(position) as position from webhook_cursor
         where next_at <= now() and (held_until is null or held_until < now()) group by account_id
       )
       select account_id from free where ledger_newest_of(account_id) > position limit $1`,
      [limit],
    );
    return accountRows.parse(rows).map(({ account_id }) => account_id);
  }

  /**
   * Those of some accounts that have webhooks, and the accounts of webhooks that have waited for a time which has come.
   * @param since the time of the last answer; undefined at the start, when that is found in another way
   * @returns with the time of the database to the microsecond, and after how long the next webhook has waited for long enough; null when none waits
   */
  async dueOf(
    accountIds: readonly string[],
    since: string | undefined,
    limit: number,
  ): Promise<{ accounts: string[]; at: string; nextInMs: number | null }> {
    // A process that has set a time which is over looks by itself: at the end of a turn, or of a request.
    const rows: unknown = await this.dataSource.query(
      `select now()::text as at, array(
         select given.account_id from unnest($1::text[]) as given(account_id)
         where exists (select from webhook_cursor c where c.account_id = given.account_id and c.next_at is not null)
         union
         select c.account_id from webhook_cursor c where c.next_at > $2::timestamptz and c.next_at <= now()
         limit $3
       ) as accounts, (
         select extract(epoch from min(c.next_at) - now()) * 1000 from webhook_cursor c where c.next_at > now()
       )::float8 as next_in_ms`,
      [accountIds, since ?? null, limit],
    );
    const [{ accounts, at, next_in_ms } = { accounts: [], at: '', next_in_ms: null }] = dueRows.parse(rows);
    return { accounts, at, nextInMs: next_in_ms };
  }

  /** For how long the webhook that fails for the longest has taken nothing, in seconds; 0 when nobody waits for a webhook that fails. */
  async longestFailing(): Promise<number> {
    const rows: unknown = await this.dataSource.query(
      `select coalesce(extract(epoch from now() - min(failing_since)), 0)::float8 as seconds from webhook_cursor
       where failing_since is not null and failures > 0 and next_at is not null`,
    );
    return failingRows.parse(rows)[0]?.seconds ?? 0;
  }

  /** Whether any webhook is delivered to at all, in the whole deployment. */
  async areThere(): Promise<boolean> {
    const rows: unknown = await this.dataSource.query(
      'select webhook_id from webhook_cursor where next_at is not null limit 1',
    );
    return idRows.parse(rows).length > 0;
  }

  /** Notes that everything up to a position is done. @returns false when the lease is another's now */
  async move(webhookId: string, position: number, { delivered }: { delivered: boolean }): Promise<boolean> {
    return this.change(
      `position = greatest(position, $3), failures = 0, held_until = now() + $4 * interval '1 millisecond'
       ${delivered ? ', failing_since = null' : ''}`,
      [webhookId, this.holder, position, this.leaseMs],
    );
  }

  /** Ends the lease, because a delivery has failed. */
  async putOff(webhookId: string, inMs: number): Promise<boolean> {
    return this.change(
      `failures = failures + 1, failing_since = coalesce(failing_since, now()), holder = null, held_until = null,
       next_at = now() + $3 * interval '1 millisecond'`,
      [webhookId, this.holder, inMs],
    );
  }

  /** Ends the lease. @param inMs after which it may be taken again */
  async giveBack(webhookId: string, inMs = 0): Promise<boolean> {
    return this.change(`holder = null, held_until = null, next_at = now() + $3 * interval '1 millisecond'`, [
      webhookId,
      this.holder,
      inMs,
    ]);
  }

  /** Ends the lease of a webhook that is disabled: it is taken no more until it begins again. */
  async stop(webhookId: string): Promise<boolean> {
    return this.change('holder = null, held_until = null, next_at = null', [webhookId, this.holder]);
  }

  /** What is in the way of deliveries to these, by id. One that was not begun is not there. */
  async troubleOf(webhookIds: readonly string[]): Promise<ReadonlyMap<string, WebhookTrouble>> {
    const rows: unknown = await this.dataSource.query(
      `select webhook_id, failing_since, case when failures > 0 then next_at end as next_attempt
       from webhook_cursor where webhook_id = any($1)`,
      [webhookIds],
    );
    return new Map(troubleRows.parse(rows));
  }

  /** The next webhooks that have stopped, in order of id. @param after undefined at the start */
  async stopped(after: string | undefined, limit: number): Promise<string[]> {
    const rows: unknown = await this.dataSource.query(
      `select webhook_id from webhook_cursor where next_at is null and ($1::uuid is null or webhook_id > $1)
       order by webhook_id limit $2`,
      [after ?? null, limit],
    );
    return idRows.parse(rows).map(({ webhook_id }) => webhook_id);
  }

  async forget(webhookId: string): Promise<void> {
    await this.dataSource.query('delete from webhook_cursor where webhook_id = $1', [webhookId]);
  }

  private async change(set: string, values: unknown[]): Promise<boolean> {
    const done: unknown = await this.dataSource.query(
      `update webhook_cursor set ${set} where webhook_id = $1 and holder = $2 returning webhook_id`,
      values,
    );
    return changedRows.parse(done)[1] > 0;
  }
}

/**
 * Long work and who does it. A job is held by a lease: it has one holder at a time, by the database's clock. A holder whose
 * lease has passed on is fenced: what it does to the job has no effect, because owner and attempt no longer match.
 *
 * That clock may be wrong and be put right. A lease whose end is further ahead than its length is over, and so is a pause that
 * begins in the future: a wrong clock made them. So, once the clock is put back, no lease lasts longer than its length and a
 * few seconds.
 */
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import { isFree, KnownJobs } from './known-jobs.js';
import { thisReader } from './reader.js';

export interface NewJob {
  kind: string;
  /** A UUID, unique within the kind. Adding it twice adds it once. */
  id: string;
  /** What the work contends for; one lane's jobs never hold up another's. Default: the one lane `''`. */
  lane?: string;
  accountId: string;
  /** Default: now, by the database's clock. */
  readyAt?: Date;
  totalBytes?: number;
}

export interface LeasedJob {
  readonly kind: string;
  readonly id: string;
  readonly lane: string;
  readonly accountId: string;
  /**
   * How often the job has been leased, this time included. When two believe that they hold it, the one with the higher number
   * does.
   */
  readonly attempt: number;
  /** How often the job failed: its holder was lost, or gave it back as failed. A holder that was told to end did not fail. */
  readonly failures: number;
  /** How often the job had been added when it was leased. */
  readonly asked: number;
  readonly owner: string;
  /** The readers that could not read a stream of the job, as `thisReader` names them. */
  readonly passedBy?: readonly string[] | undefined;
}

/** How many jobs an account may have in hand in each lane of a kind. null is no limit. */
export interface JobQuota {
  usual: number | null;
  /** By account, where it is another number. */
  byAccount: ReadonlyMap<string, number | null>;
}

const noQuota: JobQuota = { usual: null, byAccount: new Map() };

export interface LeaseLimits {
  /** Ids that the caller still works on under an earlier lease: not leased to it, even when that lease has lapsed. */
  inHand?: readonly string[];
  /** How many jobs of the lane each account may have in hand, over all processes. What is more waits. */
  quota?: JobQuota;
  /** How many of them the owner may have of one account. null is no limit. */
  share?: number | null;
}

const leasedRows = z.array(
  z
    .object({
      id: z.string(),
      account_id: z.string(),
      attempt: z.int(),
      failures: z.int(),
      asked: z.int(),
      passed_by: z.array(z.string()).nullable(),
    })
    .transform(({ account_id, passed_by, ...rest }) => ({
      ...rest,
      accountId: account_id,
      passedBy: passed_by ?? undefined,
    })),
);

/** How long a version leaves a job to the others that it can't read a stream of. It may be that nobody can, until that is mended. */
const passedMs = 60_000;
/** How many rows of old news one statement removes. */
const oldNewsAtOnce = 5_000;

const touchedRows = z.array(z.object({ touched: z.int() })).length(1);

export class Jobs extends KnownJobs {
  private readonly watchers = new Set<() => void>();

  /** @param reader names what this process can read */
  constructor(
    dataSource: DataSource,
    private readonly reader = thisReader,
  ) {
    super(dataSource);
  }

  /** Adds jobs within a transaction; one that is there already stays as it is, and is done again if it is held. */
  async add(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    if (jobs.length === 0) return;
    await manager.query('select job_add($1)', [JSON.stringify(jobs)]);
    this.changed();
  }

  /**
   * Calls `wake` when this process has added or woken jobs, in a transaction that may still be open.
   * @returns a function that ends the calls
   */
  onChange(wake: () => void): () => void {
    this.watchers.add(wake);
    return () => void this.watchers.delete(wake);
  }

  private changed(): void {
    for (const wake of this.watchers) wake();
  }

  /**
   * Adds what the event at a position asks for, within a transaction that handles the event. Nothing happens when the event's
   * own transaction has added it: the job may have been done since.
   */
  async addUnlessThere(manager: EntityManager, position: number, job: NewJob): Promise<void> {
    await manager.query(
      `with there as (delete from job_news where position = $1 and kind = $2 returning 1)
       select job_add($3) where not exists (select from there)`,
      [position, job.kind, JSON.stringify([job])],
    );
    this.changed();
  }

  /**
   * Forgets which jobs came with events that the feed has not brought in a day. News after that adds them again; they are
   * found done. A row from the future was written by a clock that has been put right since.
   */
  async forgetOldNews(): Promise<void> {
    for (let gone = oldNewsAtOnce; gone === oldNewsAtOnce; ) {
      const rows: unknown = await this.dataSource.query(
        `with old as (
           select position, kind from job_news
           where added_at < now() - interval '1 day' or added_at > now() + interval '1 day'
           limit $1 for update skip locked
         ), gone as (
           delete from job_news n using old where n.position = old.position and n.kind = old.kind returning 1
         ) select count(*)::int as touched from gone`,
        [oldNewsAtOnce],
      );
      gone = touchedRows.parse(rows)[0]?.touched ?? 0;
    }
  }

  /**
   * Leases up to `limit` jobs that are ready and held by nobody. The accounts take turns, and within an account the job that has
   * been ready longest goes first.
   */
  async lease(
    kind: string,
    lane: string,
    owner: string,
    limit: number,
    leaseMs: number,
    { inHand = [], quota = noQuota, share = null }: LeaseLimits = {},
  ): Promise<LeasedJob[]> {
    const rows = leasedRows.parse(
      await this.dataSource.query('select * from job_lease($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', [
        ...[kind, lane, owner, this.reader, limit, leaseMs, inHand],
        ...[quota.usual, JSON.stringify(Object.fromEntries(quota.byAccount)), share],
      ]),
    );
    return rows.map((row) => ({ kind, lane, owner, ...row }));
  }

  /** Prolongs the lease from now on. @returns false when the job is no longer this holder's, and its work must end */
  async renew(
    job: LeasedJob,
    leaseMs: number,
    progress?: { doneBytes: number; totalBytes?: number | null; bytesPerSecond?: number } | undefined,
  ): Promise<boolean> {
    return this.touch(
      job,
      `update job set lease_until = now() + $5 * interval '1 ms', lease_ms = $5,
         done_bytes = coalesce($6::bigint, done_bytes), total_bytes = coalesce($7::bigint, total_bytes), bytes_per_second = $8::bigint`,
      [leaseMs, progress?.doneBytes ?? null, progress?.totalBytes ?? null, progress?.bytesPerSecond ?? null],
    );
  }

  /**
   * Removes the job, or makes it ready again when it was added anew meanwhile. It has no effect when the job is no longer this
   * holder's.
   */
  async finish(job: LeasedJob): Promise<void> {
    await this.dataSource.query(
      // Whoever adds the job at this moment holds the row. "asked" is read when the row is free, so that one of the two applies.
      `with held as materialized (
         select asked from job where kind = $1 and id = $2 and lease_owner = $3 and attempt = $4 for update
       ), done as (
         delete from job using held where kind = $1 and id = $2 and held.asked = $5
       ) update job set lease_owner = null, lease_until = null, failures = 0, ready_at = now(), paused_at = now()
         from held where kind = $1 and id = $2 and held.asked <> $5`,
      [job.kind, job.id, job.owner, job.attempt, job.asked],
    );
  }

  /**
   * Gives the lease back; the job is ready again in `ms`, by the database's clock, or at once when it was added anew or woken
   * meanwhile. It has no effect when the job is no longer this holder's.
   * @param lane where it contends from now on. Default: where it did
   */
  async retryIn(job: LeasedJob, ms: number, hasFailed = false, lane = job.lane): Promise<void> {
    await this.touch(
      job,
      `update job set lease_owner = null, lease_until = null, failures = failures + $6::int,
         paused_at = now(), lane = $8,
         ready_at = now() + case when asked = $7 then $5 else 0 end * interval '1 ms'`,
      [ms, hasFailed ? 1 : 0, job.asked, lane],
    );
    if (lane !== job.lane) await this.tellOthers();
  }

  /** Gives the lease back, for others who can do the job at once. */
  async giveBack(job: LeasedJob): Promise<void> {
    await this.retryIn(job, 0);
    await this.tellOthers();
  }

  /** Has the workers of all processes look for jobs, as an append does. */
  private async tellOthers(): Promise<void> {
    await this.dataSource.query(`select pg_notify('strongroom_ledger', '')`);
  }

  /**
   * Gives back a job of which this version can't read a stream. No failure is counted, and it is ready at once for others that can
   * read more. Those that read the same leave it for a minute.
   */
  async passOver(job: LeasedJob): Promise<void> {
    await this.touch(
      job,
      `update job set lease_owner = null, lease_until = null, ready_at = now(), paused_at = now(),
         passed_by = case when passed_by @> array[$5::text] then passed_by else array_append(passed_by, $5::text) end,
         passed_until = now() + $6 * interval '1 ms'`,
      [this.reader, passedMs],
    );
    await this.tellOthers();
  }

  /** Whether this version has passed the job over before it was leased. */
  hasPassedOver({ passedBy }: LeasedJob): boolean {
    return passedBy?.includes(this.reader) ?? false;
  }

  /**
   * Gives jobs back to the lane `''` that nobody takes in the lane where they are: its workers are gone, or have no room.
   * @param ms how long such a job has been ready
   */
  async leaveLanes(kind: string, ms: number): Promise<void> {
    await this.dataSource.query(
      `with left_alone as (
         select id from job where kind = $1 and lane <> '' and ${isFree} and ready_at < now() - $2 * interval '1 ms' order by id for update skip locked
       ) update job set lane = '' from left_alone where job.kind = $1 and job.id = left_alone.id`,
      [kind, ms],
    );
  }

  /** Makes jobs that wait ready at once, within a transaction. A job that is held is ready as soon as it is given back. */
  async wake(manager: EntityManager, kind: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await manager.query(
      `with woken as (select id from job where kind = $1 and id = any($2::uuid[]) order by id for update)
       update job set ready_at = now(), paused_at = now(), asked = asked + 1 from woken where job.kind = $1 and job.id = woken.id`,
      [kind, ids],
    );
    this.changed();
  }

  /** Runs an update or delete on the job if it is still this holder's; tells whether it was. */
  private async touch(job: LeasedJob, statement: string, values: unknown[]): Promise<boolean> {
    const rows = touchedRows.parse(
      await this.dataSource.query(
        `with touched as (
           ${statement} where kind = $1 and id = $2 and lease_owner = $3 and attempt = $4 returning 1
         ) select count(*)::int as touched from touched`,
        [job.kind, job.id, job.owner, job.attempt, ...values],
      ),
    );
    return rows[0]?.touched === 1;
  }
}

/** What is known of jobs: how far they are, who waits, and which are there. It changes nothing. */
import type { DataSource } from 'typeorm';
import { z } from 'zod';

/** Where jobs of one kind contend. */
export interface Lane {
  readonly kind: string;
  readonly lane: string;
}

export interface JobProgress {
  doneBytes: number;
  totalBytes: number | null;
}

export interface LaneLoad {
  lane: string;
  /** How many are ready and held by nobody. */
  waiting: number;
  held: number;
  /** How many are ready only at some later time. */
  deferred: number;
  /** How long the job that has waited longest has been ready. */
  oldestWaitMs: number;
}

const bytes = z.coerce.number();
const progressRows = z.array(z.object({ id: z.string(), done_bytes: bytes, total_bytes: bytes.nullable() }));
const loadRows = z.array(
  z.object({ lane: z.string(), waiting: z.int(), held: z.int(), deferred: z.int(), oldest_wait_ms: z.coerce.number() }),
);
const readyRows = z.array(z.object({ id: z.string(), ready_at: z.date() }));
const idRows = z.array(z.object({ id: z.string() }));
const attemptRows = z.array(z.object({ id: z.string(), attempt: z.int() }));
const nextRows = z.array(z.object({ ms: z.number().nullable() }));

/** Statements that run at the same time may see slightly different times. */
const slack = `interval '5 s'`;
export const isFree = 'job_is_free(job)';
const wasMistaken = `paused_at > now() + ${slack}`;

export class KnownJobs {
  constructor(protected readonly dataSource: DataSource) {}

  /** Tells which of the ids have no job of the kind. */
  async absent(kind: string, ids: readonly string[]): Promise<Set<string>> {
    if (ids.length === 0) return new Set();
    return this.idsOf(
      `select id from unnest($2::uuid[]) as wanted(id)
       where not exists (select from job where job.kind = $1 and job.id = wanted.id)`,
      [kind, ids],
    );
  }

  /** Tells for which of the ids somebody holds the job. */
  async heldOf(kind: string, ids: readonly string[]): Promise<Set<string>> {
    if (ids.length === 0) return new Set();
    return this.idsOf('select id from job where kind = $1 and id = any($2::uuid[]) and lease_until > now()', [
      kind,
      ids,
    ]);
  }

  /** How often the jobs that there are have been leased. */
  async attemptsOf(kind: string, ids: readonly string[]): Promise<Map<string, number>> {
    const rows: unknown = await this.dataSource.query(
      'select id, attempt from job where kind = $1 and id = any($2::uuid[])',
      [kind, ids],
    );
    return new Map(attemptRows.parse(rows).map(({ id, attempt }) => [id, attempt]));
  }

  /** The ids of some jobs of a kind. */
  async some(kind: string, limit: number): Promise<Set<string>> {
    return this.idsOf('select id from job where kind = $1 limit $2', [kind, limit]);
  }

  /** How far the jobs are that have not ended. */
  async progress(kind: string, ids: readonly string[]): Promise<Map<string, JobProgress>> {
    if (ids.length === 0) return new Map();
    const rows = progressRows.parse(
      await this.dataSource.query(
        'select id, done_bytes, total_bytes from job where kind = $1 and id = any($2::uuid[])',
        [kind, ids],
      ),
    );
    return new Map(
      rows.map(({ id, done_bytes, total_bytes }) => [id, { doneBytes: done_bytes, totalBytes: total_bytes }]),
    );
  }

  /** When the jobs that wait are ready. Those that are held are left out. */
  async readyTimes(kind: string, ids: readonly string[]): Promise<Map<string, Date>> {
    if (ids.length === 0) return new Map();
    const found: unknown = await this.dataSource.query(
      `select id, ready_at from job where kind = $1 and id = any($2::uuid[]) and ${isFree}`,
      [kind, ids],
    );
    return new Map(readyRows.parse(found).map(({ id, ready_at }) => [id, ready_at]));
  }

  /** How many jobs wait and how many are held, by lane. Lanes without jobs are left out. */
  async load(kind: string): Promise<LaneLoad[]> {
    const rows = loadRows.parse(
      await this.dataSource.query(
        `select lane, count(*) filter (where is_free and is_ready)::int as waiting,
           count(*) filter (where not is_free)::int as held,
           count(*) filter (where is_free and not is_ready)::int as deferred,
           greatest(coalesce(extract(epoch from now() - min(ready_at) filter (where is_free and is_ready)) * 1000, 0), 0)::float8
             as oldest_wait_ms
         from (select *, ${isFree} as is_free, ready_at <= now() or ${wasMistaken} as is_ready from job where kind = $1) jobs
         group by lane order by lane`,
        [kind],
      ),
    );
    return rows.map(({ oldest_wait_ms, ...rest }) => ({ ...rest, oldestWaitMs: oldest_wait_ms }));
  }

  /**
   * When a job of each lane may be leased that is not leased now, in milliseconds from now and in the order of the lanes: 0 when there is one,
   * which an account's quota may hold back; infinite when there is none.
   */
  async nextInMs(lanes: readonly Lane[]): Promise<number[]> {
    const rows: unknown = await this.dataSource.query(
      `select (extract(epoch from least(
         (select ready_at from job where kind = asked.kind and lane = asked.lane and ${isFree} order by ready_at limit 1),
         (select min(lease_until) from job where kind = asked.kind and lane = asked.lane and lease_owner is not null)
       ) - now()) * 1000)::float8 as ms
       from unnest($1::text[], $2::text[]) with ordinality as asked(kind, lane, place) order by place`,
      [lanes.map(({ kind }) => kind), lanes.map(({ lane }) => lane)],
    );
    return nextRows.parse(rows).map(({ ms }) => Math.max(0, ms ?? Number.POSITIVE_INFINITY));
  }

  private async idsOf(query: string, values: unknown[]): Promise<Set<string>> {
    const rows: unknown = await this.dataSource.query(query, values);
    return new Set(idRows.parse(rows).map(({ id }) => id));
  }
}

/**
 * How many requests to one operation an account may make in a period, counted over all processes. A process takes several
 * permits at a time from the common count, so that most requests cost no query. The limit is never exceeded. An account may
 * find it reached a few requests early: those whose permits another process holds.
 */
import { Inject } from '@nestjs/common';
import type { Operation } from '@strongroom/contracts';
import { type AppConfig, configToken, type RateLimit } from '@strongroom/runtime';
import { DataSource } from 'typeorm';
import { z } from 'zod';

/** What a process holds of an account's permits until the period ends. */
interface Held {
  permits: number;
  /** Whether the common count has no more permits. */
  isLast: boolean;
  /** When the period ends, by `performance.now()`. */
  untilMs: number;
}

type LimitedOperation = Pick<Operation, 'name' | 'method'>;

const grants = z.array(z.object({ used: z.int(), left_seconds: z.coerce.number() })).length(1);
/** A process takes at most this part of a limit at once. */
const share = 20;
const mostHeld = 10_000;

export class RateLimits {
  private readonly held = new Map<string, Held>();
  private readonly taking = new Map<string, Promise<void>>();
  /** By name of operation. */
  private readonly limits = new Map<string, RateLimit | undefined>();

  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(configToken) private readonly config: AppConfig,
  ) {}

  /**
   * Takes a permit.
   * @returns undefined when there was one, else after how many seconds to ask again
   */
  async take(accountId: string, operation: LimitedOperation): Promise<number | undefined> {
    const limit = this.limitOf(operation);
    if (!limit) return undefined;
    const key = `${accountId} ${operation.name}`;
    for (;;) {
      const held = this.held.get(key);
      const leftMs = held ? held.untilMs - performance.now() : 0;
      if (held && leftMs > 0) {
        if (held.permits > 0) {
          held.permits -= 1;
          return undefined;
        }
        if (held.isLast) return Math.max(1, Math.ceil(leftMs / 1_000));
      }
      await this.takeMore(key, accountId, operation.name, limit);
    }
  }

  private limitOf({ name, method }: LimitedOperation): RateLimit | undefined {
    if (this.limits.has(name)) return this.limits.get(name);
    const limit = [name, method, '*']
      .map((each) => this.config.rateLimits.find(({ of }) => of === each))
      .find((limit) => limit !== undefined);
    this.limits.set(name, limit);
    return limit;
  }

  /** Requests that come at the same time share one query. */
  private takeMore(key: string, accountId: string, operation: string, limit: RateLimit): Promise<void> {
    const running = this.taking.get(key);
    if (running !== undefined) return running;
    const taking = this.fetch(key, accountId, operation, limit).finally(() => this.taking.delete(key));
    this.taking.set(key, taking);
    return taking;
  }

  private async fetch(key: string, accountId: string, operation: string, { requests, seconds }: RateLimit) {
    const wanted = Math.ceil(requests / share);
    const found: unknown = await this.dataSource.query(
      `with period as (
         select to_timestamp(floor(extract(epoch from now()) / $4::int) * $4::int) as start
       ), taken as (
         insert into request_count as c (account_id, operation, period_start, used) select $1, $2, start, $3::int from period
         on conflict (account_id, operation) do update set
           period_start = excluded.period_start,
           used = case when c.period_start = excluded.period_start then least(c.used, $5::int) + $3::int else $3::int end
         returning used
       ) select used, extract(epoch from start + $4::int * interval '1 s' - now())::float8 as left_seconds from taken, period`,
      [accountId, operation, wanted, seconds, requests],
    );
    const [{ used, left_seconds: left } = { used: 0, left_seconds: 0 }] = grants.parse(found);
    const permits = Math.max(0, Math.min(wanted, requests - (used - wanted)));
    this.makeRoom();
    this.held.set(key, {
      permits,
      isLast: permits < wanted || wanted === 0,
      untilMs: performance.now() + left * 1_000,
    });
  }

  /** Those whose period is over are removed first, since they hold nothing. The oldest are next. */
  private makeRoom(): void {
    if (this.held.size < mostHeld) return;
    const now = performance.now();
    for (const [key, { untilMs }] of this.held) if (untilMs <= now) this.held.delete(key);
    for (const key of this.held.keys()) {
      if (this.held.size < mostHeld) return;
      this.held.delete(key);
    }
  }
}

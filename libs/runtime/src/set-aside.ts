/**
 * What a process has set aside because it could not be read or done: it stops nothing else, is counted, and is tried again.
 * A row is there from the first failure until the thing is read or done, by this process or by a newer one.
 */
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';

/**
 * - `stream`: the views lack something of it; its id is the stream's name.
 * - `account`: its views can't be folded; its id is the account's.
 * - `schedule`: its slots or its timer can't be judged; its id is the schedule's.
 * - `job`: it breaks off each time; its id is the kind and the id of the job.
 * - `backup`, `copy`: a policy can't take it up; its id is that of the backup or the copy.
 */
export const setAsideKinds = ['stream', 'account', 'schedule', 'job', 'backup', 'copy'] as const;
export type SetAsideKind = (typeof setAsideKinds)[number];

export interface ThingSetAside {
  id: string;
  /** Null when it belongs to no account. */
  accountId: string | null;
  /** Why, as a sentence for people. */
  reason: string;
}

/**
 * Why something is set aside, for its tenant: what nobody foresaw may name our own paths, hosts and statements. It stands behind a colon,
 * and an operator finds it in the log. Why a history can't be read is always in our words.
 */
export function toldWhy({ kind, reason }: { kind: string; reason: string }): string {
  if (kind === 'stream' || /\bthe history of \S+ can't be read: /.test(reason)) return reason;
  return reason.replace(/: [\s\S]*$/, '');
}

/**
 * Whether one of some things is set aside, as SQL for a statement that reads them. While nothing of these kinds is set aside, no row costs a
 * look.
 * @param things the kind of each, and its id as SQL
 */
export function isAsideSql(things: readonly { kind: SetAsideKind; id: string }[]): string {
  const kinds = [...new Set(things.map(({ kind }) => `'${kind}'`))].join(', ');
  const looks = things.map(({ kind, id }) => `exists (select from set_aside where kind = '${kind}' and id = ${id})`);
  return `case when exists (select from set_aside where kind in (${kinds})) then ${looks.join(' or ')} else false end`;
}

const news = z.array(z.object({ id: z.string() }));
const things = z.array(z.object({ id: z.string(), accountId: z.string().nullable(), reason: z.string() }));
const reasons = z.array(z.object({ kind: z.string(), id: z.string(), reason: z.string() }));
const counts = z.array(z.object({ kind: z.string(), count: z.int() }));
/** Everything but a stream is tried each few minutes by whoever works on it. What nobody tries any more is gone. */
const forgottenAfter = `interval '1 hour'`;
const longestReason = 2_000;

export class SetAside {
  constructor(
    private readonly dataSource: DataSource,
    private readonly log?: Logger,
  ) {}

  /** @param manager the transaction that goes on without them, or the connection of its own that they are written on */
  async put(
    kind: SetAsideKind,
    found: readonly ThingSetAside[],
    manager: EntityManager = this.dataSource.manager,
  ): Promise<void> {
    if (found.length === 0) return;
    // PostgreSQL keeps no NUL in text.
    const reasons = found.map(({ reason }) => reason.replaceAll('\u0000', '\ufffd').slice(0, longestReason));
    const rows: unknown = await manager.query(
      `with asked as (
         select distinct on (id) * from unnest($2::text[], $3::text[], $4::text[]) as asked(id, account_id, reason) order by id
       ), known as (
         select s.id, s.reason from set_aside s join asked using (id) where s.kind = $1
       ), put as (
         insert into set_aside (kind, id, account_id, reason) select $1, id, account_id, reason from asked
         on conflict (kind, id) do update set reason = excluded.reason, tried_at = now()
       ) select id from asked where not exists (select from known where known.id = asked.id and known.reason = asked.reason)`,
      [kind, found.map(({ id }) => id), found.map(({ accountId }) => accountId), reasons],
    );
    const isNews = new Set(news.parse(rows).map(({ id }) => id));
    for (const { id, accountId, reason } of found) {
      const bindings = { setAside: kind, id, accountId, reason };
      if (isNews.delete(id)) this.log?.error(bindings, `${kind} ${id} is set aside, and tried again: ${reason}`);
    }
  }

  /** They were read or done: they are set aside no longer. */
  async takeBack(
    kind: SetAsideKind,
    ids: readonly string[],
    manager: EntityManager = this.dataSource.manager,
  ): Promise<void> {
    if (ids.length === 0) return;
    const rows: unknown = await manager.query(
      `with back as (delete from set_aside where kind = $1 and id = any($2) returning id) select id from back`,
      [kind, ids],
    );
    for (const { id } of news.parse(rows))
      this.log?.info({ setAside: kind, id }, `${kind} ${id} is set aside no longer`);
  }

  /** Those of the things that are set aside, each with the reason. */
  async among(
    asked: readonly { kind: SetAsideKind; id: string }[],
  ): Promise<{ kind: string; id: string; reason: string }[]> {
    if (asked.length === 0) return [];
    const rows: unknown = await this.dataSource.query(
      `select s.kind, s.id, s.reason from unnest($1::text[], $2::text[]) as asked(kind, id) join set_aside s using (kind, id)`,
      [asked.map(({ kind }) => kind), asked.map(({ id }) => id)],
    );
    return reasons.parse(rows);
  }

  /** Those that were tried longest ago, to be tried again. */
  async longestUntried(kind: SetAsideKind, limit: number): Promise<ThingSetAside[]> {
    const rows: unknown = await this.dataSource.query(
      `select id, account_id as "accountId", reason from set_aside where kind = $1 order by tried_at limit $2`,
      [kind, limit],
    );
    return things.parse(rows);
  }

  /** Forgets what nobody tries any more, because it is gone: a deleted schedule, or a job that is not there. */
  async forgetGone(): Promise<void> {
    await this.dataSource.query(
      `delete from set_aside where kind <> 'stream' and tried_at < now() - ${forgottenAfter}`,
    );
  }

  measure(metrics: Metrics): void {
    metrics.gauge({
      name: 'strongroom_set_aside',
      help: 'What is set aside because it cannot be read or done, by kind; it stops nothing else and is tried again.',
      labels: ['kind'],
      measure: async (gauge) => {
        const rows: unknown = await this.dataSource.query(
          'select kind, count(*)::int as count from set_aside group by kind',
        );
        gauge.reset();
        for (const kind of setAsideKinds) gauge.set({ kind }, 0);
        for (const { kind, count } of counts.parse(rows)) gauge.set({ kind }, count);
      },
    });
  }
}

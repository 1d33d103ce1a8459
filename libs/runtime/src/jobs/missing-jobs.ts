/**
 * Puts back jobs that should be there and are not. What was lost with a message is found by the feed's second look; this finds
 * what was lost later, or long before there was a second look. It looks slowly, one step of each kind's round at a time. A job
 * that is put back without need finds nothing to do, so it does no harm.
 */
import type { DataSource } from 'typeorm';
import type { JobKind, RoundStep } from './job-kind.js';
import type { Jobs } from './jobs.js';
import type { PutBack } from './put-back.js';

export interface MissingJobsParts {
  dataSource: DataSource;
  jobs: Jobs;
  putBack: PutBack;
  /** Brings the accounts' views up to date: a view that is behind shows ended work as unfinished. */
  catchUp(accountIds: readonly string[]): Promise<void>;
}

/** How many jobs of a kind are put back in one pass. */
const mostAtOnce = 100;

export class MissingJobs<Parts extends MissingJobsParts> {
  /** How far the round of each kind is. */
  private readonly at = new Map<string, string | undefined>();

  constructor(
    private readonly kinds: readonly JobKind<Parts>[],
    private readonly parts: Parts,
  ) {}

  /** @throws {AggregateError} when kinds could not be looked at; each of the others was */
  async putBackMissing(): Promise<void> {
    const failures: unknown[] = [];
    for (const kind of this.kinds) {
      await this.putBackOf(kind).catch((error: unknown) => failures.push(error));
    }
    await this.parts.jobs.forgetOldNews();
    if (failures.length > 0)
      throw new AggregateError(failures, `missing jobs of ${failures.length} kinds not looked for`);
  }

  private async putBackOf(kind: JobKind<Parts>): Promise<void> {
    const { dataSource, jobs, putBack, catchUp } = this.parts;
    const after = this.at.get(kind.kind);
    const { found, end } = await this.withoutJob(kind, after);
    const suspected = found.slice(0, mostAtOnce);
    // When more are found than fit, the next pass goes on from there.
    this.at.set(kind.kind, found.length > mostAtOnce ? suspected.at(-1)?.id : end);
    if (suspected.length === 0) return;
    await catchUp(suspected.map(({ accountId }) => accountId));
    const ids = new Set(suspected.map(({ id }) => id));
    const missing = (await this.withoutJob(kind, after)).found.filter(({ id }) => ids.has(id));
    await jobs.add(
      dataSource.manager,
      missing.map((job) => ({ kind: kind.kind, ...job })),
    );
    for (const { id } of missing) putBack.tell(kind.kind, id);
  }

  private async withoutJob(kind: JobKind<Parts>, after: string | undefined): Promise<RoundStep> {
    const { found, end } = (await kind.missing?.(this.parts, after)) ?? { found: [], end: undefined };
    const absent = await this.parts.jobs.absent(
      kind.kind,
      found.map(({ id }) => id),
    );
    return { found: found.filter(({ id }) => absent.has(id)), end };
  }
}

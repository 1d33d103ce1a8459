/**
 * The limits of transfers that the replicators keep to. What operators have set is in the database, the first values are settings of each
 * process, and a busy store is known to whom it has answered. So each process tells what it keeps to.
 */
import type { DataSource } from 'typeorm';
import { z } from 'zod';

const limit = z.object({
  /** What is limited: a region as `ORD`, what copies bring from one region to another as `DFW:ORD`, or each `process`. */
  scope: z.string(),
  bytesPerSecond: z.number().nullable(),
  /** How many transfers of a process move bytes there at a time. */
  atATime: z.number().nullable(),
  /** How many requests a process makes at a time to the store, which has answered that it is busy. */
  requestsAtATime: z.number().nullable(),
});
/** null: it is not limited in this way. */
export type LimitInForce = z.infer<typeof limit>;

const rows = z.array(z.object({ limits: z.array(limit) }));
/** What has not changed is told again after this time. A row counts for three times as long. */
const againMs = 20_000;

export class LimitsInForce {
  /** By process, what the table has of it, and since when. */
  private readonly told = new Map<string, { text: string; atMs: number }>();

  constructor(private readonly dataSource: DataSource) {}

  /** Has these limits, and no others, be known of the process. It is called every few seconds, and writes what has changed. */
  async tell(process: string, limits: readonly LimitInForce[]): Promise<void> {
    const text = JSON.stringify(limits);
    const told = this.told.get(process);
    if (told?.text === text && performance.now() - told.atMs < againMs) return;
    const atMs = performance.now();
    await this.dataSource.query(
      `with gone as (
         delete from transfer_in_force where told_at < now() - interval '1 day' and process <> $1
       )
       insert into transfer_in_force (process, limits) values ($1, $2)
       on conflict (process) do update set limits = excluded.limits, told_at = now()`,
      [process, text],
    );
    this.told.set(process, { text, atMs });
  }

  /**
   * What holds transfers back, in order of scope. Where processes keep to different limits, the lowest counts.
   * @returns undefined when no process has told anything within a minute
   */
  async known(): Promise<LimitInForce[] | undefined> {
    const found: unknown = await this.dataSource.query(
      `select limits from transfer_in_force where told_at > now() - interval '1 minute'`,
    );
    const told = rows.parse(found);
    if (told.length === 0) return undefined;
    const lowest = new Map<string, LimitInForce>();
    for (const each of told.flatMap(({ limits }) => limits)) {
      const before = lowest.get(each.scope);
      lowest.set(each.scope, before ? lowestOf(before, each) : each);
    }
    return [...lowest.values()].sort((a, b) => (a.scope < b.scope ? -1 : 1));
  }
}

function lowestOf(a: LimitInForce, b: LimitInForce): LimitInForce {
  return {
    scope: a.scope,
    bytesPerSecond: lower(a.bytesPerSecond, b.bytesPerSecond),
    atATime: lower(a.atATime, b.atATime),
    requestsAtATime: lower(a.requestsAtATime, b.requestsAtATime),
  };
}

function lower(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

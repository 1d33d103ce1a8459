/**
 * The limits of transfers that operators set while everything runs, and what the processes of a deployment have used of them. A limit
 * is one for all processes: each takes a piece of time from the row that they share, and may send what the limit allows in it. Only the
 * database's clock counts, so no clock of a host can falsify it.
 */
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { within } from './metrics.js';

/** What operators have set. null: no limit, whatever the settings say. */
export interface SetLimits {
  /** Bytes a second, by what they limit. */
  rates: Map<string, number | null>;
  /** How many transfers of a process at a time, by region. */
  caps: Map<string, number | null>;
}

const setRows = z.array(
  z.object({ is_rate: z.boolean(), scope: z.string(), most: z.coerce.number().positive().nullable() }),
);
const grantRows = z.array(z.object({ in_ms: z.coerce.number() })).length(1);

export class TransferLimits {
  constructor(protected readonly dataSource: DataSource) {}

  async read(): Promise<SetLimits> {
    const found: unknown = await this.dataSource.query(
      `select true as is_rate, scope, bytes_per_second as most from transfer_limit
       union all select false, region, at_a_time from transfer_cap order by is_rate, scope`,
    );
    const rows = setRows.parse(found);
    const of = (isRate: boolean) =>
      new Map(rows.filter((row) => row.is_rate === isRate).map(({ scope, most }) => [scope, most]));
    return { rates: of(true), caps: of(false) };
  }

  /**
   * Takes a piece of the time of a limit, for this process alone.
   * @returns in how many milliseconds it begins
   */
  async take(scope: string, pieceMs: number): Promise<number> {
    const found: unknown = await this.dataSource.query(
      `insert into transfer_budget as budget (scope, taken_until)
       values ($1, clock_timestamp() + make_interval(secs => $2))
       on conflict (scope) do update set taken_until = make_interval(secs => $2) +
         case when budget.taken_until > clock_timestamp() + interval '1 minute' then clock_timestamp()
         else greatest(budget.taken_until, clock_timestamp() - interval '100 milliseconds') end
       returning greatest(0, extract(epoch from taken_until - clock_timestamp()) - $2) * 1000 as in_ms`,
      [scope, pieceMs / 1_000],
    );
    return grantRows.parse(found)[0]?.in_ms ?? 0;
  }
}

/** How long the database may take to give out a piece, and for how long it is not asked after it has not. */
const answerMs = 1_000;
const leftAloneMs = 10_000;

/** The budget of one limit. While the database is away, each process keeps to the whole limit by itself. */
export class SharedBudget {
  private awayUntil = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly limits: Pick<TransferLimits, 'take'>,
    private readonly scope: string,
    private readonly own: { ask(bytes: number, bytesPerSecond: number): { bytes: number; inMs: number } },
  ) {}

  async ask(bytes: number, bytesPerSecond: number): Promise<{ bytes: number; inMs: number }> {
    if (performance.now() >= this.awayUntil) {
      try {
        const pieceMs = (bytes / bytesPerSecond) * 1_000;
        return { bytes, inMs: await within(answerMs, () => this.limits.take(this.scope, pieceMs)) };
      } catch {
        this.awayUntil = performance.now() + leftAloneMs;
      }
    }
    return this.own.ask(bytes, bytesPerSecond);
  }
}

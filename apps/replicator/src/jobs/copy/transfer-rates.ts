/** How fast copies have come from each region to each other one, as all replicators have measured it. */
import type { DataSource } from 'typeorm';
import { z } from 'zod';

/** Of a smaller copy the beginning and the end take most of the time. */
const leastMeasuredBytes = 16_777_216;
/** How much a new measurement counts beside those before it. */
const weight = 0.3;
/** What was measured earlier says nothing any more: links and hosts change. */
const validDays = 30;

const rows = z.array(z.object({ region: z.string(), bytesPerSecond: z.number() }));

export interface Transfer {
  from: string;
  to: string;
  bytes: number;
  /** With the reading back at the target, which is the same whatever the source. */
  ms: number;
}

export class TransferRates {
  constructor(private readonly dataSource: DataSource) {}

  /** Bytes a second from each region to the target. A region from which nothing has come lately is left out. */
  async to(target: string): Promise<Map<string, number>> {
    const found: unknown = await this.dataSource.query(
      `select source_region as region, bytes_per_second as "bytesPerSecond" from transfer_rate
       where target_region = $1 and measured_at > now() - $2 * interval '1 day'`,
      [target, validDays],
    );
    return new Map(rows.parse(found).map(({ region, bytesPerSecond }) => [region, bytesPerSecond]));
  }

  /** Remembers a copy that was brought from its first byte to its last. A small one counts for nothing. */
  async measured({ from, to, bytes, ms }: Transfer): Promise<void> {
    if (bytes < leastMeasuredBytes || ms <= 0) return;
    await this.dataSource.query(
      `insert into transfer_rate as t (source_region, target_region, bytes_per_second) values ($1, $2, $3)
       on conflict (source_region, target_region) do update set measured_at = now(),
         bytes_per_second = case when t.measured_at > now() - $5 * interval '1 day'
           then t.bytes_per_second + $4 * (excluded.bytes_per_second - t.bytes_per_second) else excluded.bytes_per_second end`,
      [from, to, bytes / (ms / 1_000), weight, validDays],
    );
  }
}

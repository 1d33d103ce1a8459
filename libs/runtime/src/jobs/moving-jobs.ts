/** Which jobs move bytes at the moment, and how fast, as their holders tell with each renewal of the lease. */
import type { DataSource } from 'typeorm';
import { z } from 'zod';

const rows = z.array(z.object({ id: z.string(), lane: z.string(), bytesPerSecond: z.coerce.number() }));

export type MovingJob = z.infer<typeof rows>[number];

export class MovingJobs {
  constructor(private readonly dataSource: DataSource) {}

  /** The jobs of an account that have begun to move bytes. Those whose holder is lost are left out when the lease has lapsed. */
  async of(kind: string, accountId: string): Promise<MovingJob[]> {
    const found: unknown = await this.dataSource.query(
      `select id, lane, bytes_per_second as "bytesPerSecond" from job
       where kind = $1 and account_id = $2 and lease_owner is not null and lease_until > now() and bytes_per_second is not null`,
      [kind, accountId],
    );
    return rows.parse(found);
  }
}

/** How many rows of a table a transaction has looked at so far, by an index or without one. */
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

const counts = z.array(z.object({ looked: z.int() })).max(1);

/** @param manager of the transaction: what others look at does not count */
export async function rowsLookedAt(manager: EntityManager, table: string): Promise<number> {
  const found: unknown = await manager.query(
    `select (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as looked from pg_stat_xact_user_tables where relname = $1`,
    [table],
  );
  return counts.parse(found)[0]?.looked ?? 0;
}

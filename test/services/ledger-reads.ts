/** How much of the table of events the database reads for something. The session has done the same before, so that its plans are made. */
import type { DataSource, QueryRunner } from 'typeorm';
import { z } from 'zod';

export interface LedgerReads {
  /** Rows of the table that were looked at. */
  rows: number;
  /** Blocks of 8 KiB of the table and of its indexes, each as often as it was looked at. */
  blocks: number;
}

const counted = z.array(z.object({ rows: z.int(), blocks: z.int() })).length(1);

export async function ledgerReads(
  dataSource: DataSource,
  read: (session: QueryRunner) => Promise<unknown>,
): Promise<LedgerReads> {
  const session = dataSource.createQueryRunner();
  await session.startTransaction();
  const soFar = async () => {
    const rows: unknown = await session.query(
      `select (coalesce(t.seq_tup_read, 0) + coalesce(t.idx_tup_fetch, 0))::int as rows, (
         select sum(pg_stat_get_xact_blocks_fetched(c.oid))::int from pg_class c
         where c.oid = t.relid or c.oid in (select i.indexrelid from pg_index i where i.indrelid = t.relid)
       ) as blocks
       from pg_stat_xact_user_tables t where t.relname = 'ledger_event'`,
    );
    const [found = { rows: 0, blocks: 0 }] = counted.parse(rows);
    return found;
  };
  try {
    await read(session);
    const before = await soFar();
    await read(session);
    const { rows, blocks } = await soFar();
    return { rows: rows - before.rows, blocks: blocks - before.blocks };
  } finally {
    await session.rollbackTransaction();
    await session.release();
  }
}

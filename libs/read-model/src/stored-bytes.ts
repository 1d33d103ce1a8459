/** How much the backups and copies of accounts take in all regions, the deleted ones that are still there too. */
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

const rows = z.array(z.object({ account_id: z.string(), bytes: z.coerce.number() }));

/** As far as the views show it. An account that stores nothing is left out. */
export async function storedBytesOf(
  manager: Pick<EntityManager, 'query'>,
  accountIds: readonly string[],
): Promise<Map<string, number>> {
  if (accountIds.length === 0) return new Map();
  const found: unknown = await manager.query(
    `with backup as (
       select id, account_id, coalesce(size_bytes, 0) as bytes, status from backup_view where account_id = any($1)
     )
     select account_id, sum(bytes)::text as bytes from (
       select account_id, bytes from backup where status not in ('NEW', 'BUILDING', 'FAILED')
       union all
       select b.account_id, c.size_bytes from backup b join copy_view c on c.backup_id = b.id
       where c.status in ('COMPLETED', 'DELETING')
     ) stored group by account_id`,
    [accountIds],
  );
  return new Map(rows.parse(found).map(({ account_id, bytes }) => [account_id, bytes]));
}

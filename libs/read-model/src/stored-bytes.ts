/**
 * How much the backups and copies of accounts take in all regions: the deleted ones that are still there too, and those that are being
 * made. A copy that is owed has the size of its backup. A backup that is being made counts as much as the newest one of its instance and
 * type, and as often as it will be there.
 */
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
       select id, account_id, instance_id, type, copy_to, coalesce(size_bytes, 0) as bytes, status
       from backup_view where account_id = any($1)
     )
     select account_id, sum(bytes)::text as bytes from (
       select account_id, bytes from backup where status not in ('NEW', 'BUILDING', 'FAILED')
       union all
       select b.account_id, (1 + cardinality(b.copy_to)) * coalesce(before.size_bytes, 0) from backup b
       left join lateral (
         select size_bytes from backup_view
         where instance_id = b.instance_id and type = b.type and size_bytes is not null
         order by created_at desc limit 1
       ) before on true
       where b.status in ('NEW', 'BUILDING')
       union all
       select b.account_id, c.size_bytes from backup b join copy_view c on c.backup_id = b.id
       where c.status in ('PENDING', 'COPYING', 'COMPLETED', 'DELETING')
     ) stored group by account_id`,
    [accountIds],
  );
  return new Map(rows.parse(found).map(({ account_id, bytes }) => [account_id, bytes]));
}

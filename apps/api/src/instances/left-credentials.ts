/**
 * Removes credentials that no instance has: of a registration that broke off, and of an instance that was forgotten.
 * Judged by the ledger, which is never behind, so that none is removed that is still needed.
 */
import type { DataSource } from 'typeorm';
import { z } from 'zod';

/** Long enough for a registration that is under way, and for who still has to tidy up on a forgotten server. */
const keptMs = 3_600_000;

const removed = z.array(z.object({ instance_id: z.string() }));

/** @returns whose they were */
export async function removeLeftCredentials(dataSource: DataSource, olderThanMs = keptMs): Promise<string[]> {
  const rows: unknown = await dataSource.query(
    `with past as (select now() - $1 * interval '1 ms' as until), gone as (
       delete from instance_credential c using past
       where c.stored_at < past.until and (
         not exists (select from ledger_event e where e.stream = 'instance-' || c.instance_id)
         or exists (select from ledger_event e where e.stream = 'instance-' || c.instance_id
                    and e.type = 'InstanceForgotten' and e.at < past.until))
       returning c.instance_id
     ) select instance_id from gone`,
    [olderThanMs],
  );
  return removed.parse(rows).map(({ instance_id }) => instance_id);
}

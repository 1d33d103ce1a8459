/**
 * Finds an instant in the events of an account. They have the times at which the database took them, in their order, as long as its clock is
 * not set back. So halving finds the place: some thirty looks along the index of accounts, however many events there are.
 */
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

export interface EventPlace {
  position: number;
  id: string;
}

const places = z.array(z.object({ position: z.coerce.number(), id: z.string().nullable() })).length(1);

/**
 * Up to `low` all events are before the instant, and beyond `high` none is. The account has an event beyond each middle, because `high` is
 * never beyond its newest one. The order by both columns is that of one index alone, so the statistics choose no other.
 */
const halving = `with recursive halving(low, high, id) as (
    select 0::bigint, ledger_newest_of($1), null::uuid
    union all
    select case when next.is_before then next.position else asked.low end,
      case when next.is_before then asked.high else asked.middle end,
      case when next.is_before then next.id else asked.id end
    from (select h.low, h.high, h.id, (h.low + h.high) / 2 as middle from halving h where h.low < h.high) asked
    cross join lateral (
      select e.position, e.id, e.position <= asked.high and e.at < $2::timestamptz as is_before from ledger_event e
      where (e.account_id, e.position) > ($1, asked.middle) order by e.account_id, e.position limit 1
    ) next
  )
  select low as position, id from halving where low >= high`;

/** @returns undefined when the account has no event before the instant */
export async function lastBefore(
  manager: EntityManager,
  accountId: string,
  instant: Date,
): Promise<EventPlace | undefined> {
  const rows: unknown = await manager.query(halving, [accountId, instant]);
  const [{ position, id } = { position: 0, id: null }] = places.parse(rows);
  return id === null ? undefined : { position, id };
}
